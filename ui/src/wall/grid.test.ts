import { describe, expect, it } from 'vitest'
import {
  HOTSPOT_IDS,
  LAYOUT_IDS,
  layoutFor,
  layoutOf,
  neighbour,
  PLAIN_IDS,
  type Arrow,
} from './grid'

const ARROWS: readonly Arrow[] = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']

describe('a layout', () => {
  it('is one of ten plain and five with large places', () => {
    expect(PLAIN_IDS).toHaveLength(10)
    expect(HOTSPOT_IDS).toHaveLength(5)
  })

  it.each(LAYOUT_IDS)('%s fills its square without a hole and without an overlap', (id) => {
    const { columns, rows, cells } = layoutOf(id)
    const taken = new Map<string, number>()
    for (const { column, row, span } of cells) {
      for (let x = column; x < column + span; x++) {
        for (let y = row; y < row + span; y++)
          taken.set(`${x},${y}`, (taken.get(`${x},${y}`) ?? 0) + 1)
      }
    }
    expect(taken.size).toBe(columns * rows)
    expect([...taken.values()].every((count) => count === 1)).toBe(true)
  })

  it.each([
    ['2x3', 6],
    ['4x5', 20],
    ['8x8', 64],
    ['1+5', 6],
    ['1+7', 8],
    ['1+12', 13],
    ['1+12c', 13],
    ['2+8', 10],
  ] as const)('%s has %i places', (id, count) => {
    expect(layoutOf(id).cells).toHaveLength(count)
  })

  it('is found for a number of cameras', () => {
    expect([0, 1, 2, 5, 17, 64, 500].map(layoutFor)).toEqual([
      '1x1',
      '1x1',
      '2x2',
      '2x3',
      '4x5',
      '8x8',
      '8x8',
    ])
  })
})

describe('an arrow key', () => {
  const three = layoutOf('3x3')

  it('leads to the tile that is seen there, in both directions of writing', () => {
    expect(neighbour(three, 4, 'ArrowRight', 'ltr')).toBe(5)
    expect(neighbour(three, 4, 'ArrowRight', 'rtl')).toBe(3)
    expect(neighbour(three, 4, 'ArrowLeft', 'rtl')).toBe(5)
    expect(neighbour(three, 4, 'ArrowUp', 'rtl')).toBe(1)
    expect(neighbour(three, 4, 'ArrowDown', 'ltr')).toBe(7)
  })

  it('leads nowhere at the edge', () => {
    expect(neighbour(three, 0, 'ArrowLeft', 'ltr')).toBe(0)
    expect(neighbour(three, 0, 'ArrowUp', 'ltr')).toBe(0)
    expect(neighbour(three, 0, 'ArrowRight', 'rtl')).toBe(0)
    expect(neighbour(three, 8, 'ArrowDown', 'ltr')).toBe(8)
  })

  it('leads into and out of a large tile', () => {
    const hot = layoutOf('1+5')
    // The large one, then beside it from above: 1, 2; below it: 3, 4, 5.
    expect([1, 2]).toContain(neighbour(hot, 0, 'ArrowRight', 'ltr'))
    expect([3, 4]).toContain(neighbour(hot, 0, 'ArrowDown', 'ltr'))
    expect(neighbour(hot, 1, 'ArrowLeft', 'ltr')).toBe(0)
    expect(neighbour(hot, 4, 'ArrowUp', 'ltr')).toBe(0)
  })

  it.each(LAYOUT_IDS)('reaches every tile of %s', (id) => {
    const layout = layoutOf(id)
    const reached = new Set([0])
    const todo = [0]
    for (let from = todo.pop(); from !== undefined; from = todo.pop()) {
      for (const arrow of ARROWS) {
        const to = neighbour(layout, from, arrow, 'ltr')
        if (!reached.has(to)) {
          reached.add(to)
          todo.push(to)
        }
      }
    }
    expect(reached.size).toBe(layout.cells.length)
  })
})
