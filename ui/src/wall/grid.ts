/**
 * Which layouts there are, and how one goes from tile to tile. Pure.
 *
 * Positions count along the line of writing: column 1 is where a line begins, at the right in Arabic.
 */
import type { Direction } from '@/i18n/direction'

/** A place for one picture; column and row count from 1. */
export type Cell = Readonly<{ column: number; row: number; span: number }>

export type Layout = Readonly<{
  id: LayoutId
  columns: number
  rows: number
  /** In the order in which they are filled; in a hotspot layout the large ones come first. */
  cells: readonly Cell[]
}>

export const PLAIN_IDS = [
  '1x1',
  '2x2',
  '2x3',
  '3x3',
  '3x4',
  '4x4',
  '4x5',
  '5x5',
  '6x6',
  '8x8',
] as const
export const HOTSPOT_IDS = ['1+5', '1+7', '1+12', '1+12c', '2+8'] as const
export type LayoutId = (typeof PLAIN_IDS)[number] | (typeof HOTSPOT_IDS)[number]

export const LAYOUT_IDS: readonly LayoutId[] = [...PLAIN_IDS, ...HOTSPOT_IDS]

/** Large places of the hotspot layouts, and the size of the square they are in. */
const HOTSPOTS: Record<(typeof HOTSPOT_IDS)[number], Readonly<{ size: number; large: Cell[] }>> = {
  '1+5': { size: 3, large: [{ column: 1, row: 1, span: 2 }] },
  '1+7': { size: 4, large: [{ column: 1, row: 1, span: 3 }] },
  '1+12': { size: 4, large: [{ column: 1, row: 1, span: 2 }] },
  '1+12c': { size: 4, large: [{ column: 2, row: 2, span: 2 }] },
  '2+8': {
    size: 4,
    large: [
      { column: 1, row: 1, span: 2 },
      { column: 3, row: 1, span: 2 },
    ],
  },
}

export const layoutOf = (id: LayoutId): Layout => LAYOUTS[id]

export const isLayoutId = (text: string | null | undefined): text is LayoutId =>
  LAYOUT_IDS.some((id) => id === text)

/** The smallest plain layout with room for so many pictures. */
export const layoutFor = (count: number): LayoutId =>
  PLAIN_IDS.find((id) => LAYOUTS[id].cells.length >= count) ?? '8x8'

function plain(id: LayoutId, rows: number, columns: number): Layout {
  return { id, columns, rows, cells: smallCells(rows, columns, []) }
}

function hotspot(id: (typeof HOTSPOT_IDS)[number]): Layout {
  const { size, large } = HOTSPOTS[id]
  return { id, columns: size, rows: size, cells: [...large, ...smallCells(size, size, large)] }
}

/** Row by row, leaving out what is covered. */
function smallCells(rows: number, columns: number, covered: readonly Cell[]): Cell[] {
  const cells: Cell[] = []
  for (let row = 1; row <= rows; row++) {
    for (let column = 1; column <= columns; column++) {
      if (!covered.some((cell) => covers(cell, column, row))) cells.push({ column, row, span: 1 })
    }
  }
  return cells
}

const covers = ({ column, row, span }: Cell, atColumn: number, atRow: number): boolean =>
  atColumn >= column && atColumn < column + span && atRow >= row && atRow < row + span

const LAYOUTS = Object.fromEntries([
  ...PLAIN_IDS.map((id) => {
    const [rows = 1, columns = 1] = id.split('x').map(Number)
    return [id, plain(id, rows, columns)]
  }),
  ...HOTSPOT_IDS.map((id) => [id, hotspot(id)]),
]) as Record<LayoutId, Layout>

export type Arrow = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown'

/** The tile that one comes to by an arrow key, as it is seen on the screen; the same at the edge. */
export function neighbour(
  layout: Layout,
  from: number,
  arrow: Arrow,
  direction: Direction,
): number {
  const cell = layout.cells[from]
  if (!cell) return 0
  const [column, row] = STEPS[arrow]
  const along = direction === 'rtl' ? -column : column
  const here = centre(cell)
  let best = from
  let least = Infinity
  layout.cells.forEach((other, index) => {
    const there = centre(other)
    const [dx, dy] = [there.x - here.x, there.y - here.y]
    const ahead = dx * along + dy * row
    // Beside the line that the arrow points along, a tile is reached less easily.
    const beside = Math.max(0, Math.abs(along ? dy : dx) - (cell.span - 1) / 2)
    const distance = ahead + 3 * beside
    if (index !== from && ahead > (cell.span - 1) / 2 && distance < least) {
      best = index
      least = distance
    }
  })
  return best
}

const STEPS: Record<Arrow, readonly [column: number, row: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

const centre = ({ column, row, span }: Cell) => ({ x: column + span / 2, y: row + span / 2 })
