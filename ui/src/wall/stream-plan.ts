/**
 * Which picture each tile gets: by what can be seen of it, by its size, and by what this computer was
 * measured to be able to decode. Pure.
 */

/** From most to least. `still` is one picture now and then. */
export const LEVELS = ['main', 'sub', 'still', 'none'] as const
export type Level = (typeof LEVELS)[number]

export type TileFacts = Readonly<{
  camera: string
  /** Which streams the camera has. */
  streams: readonly ('main' | 'sub')[]
  /** Across, in pixels of the screen. */
  width: number
  visible: boolean
  /** What the person looks at: it loses last. */
  important: boolean
  /** The full picture was refused and the reduced one offered. */
  reducedOnly: boolean
  /** What it has now. */
  level: Level
}>

/** From this width on a reduced stream looks coarse; in pixels of the screen. */
export const MAIN_FROM = 720
/** A tile changes only when its size is past the bound by this much. */
const HYSTERESIS = 0.12

/** The levels of all tiles, in their order. `steps` is how many steps down were measured to be needed. */
export function plan(tiles: readonly TileFacts[], pageVisible: boolean, steps: number): Level[] {
  const levels = wanted(tiles, pageVisible)
  for (const { index, to } of ways(tiles, levels).slice(0, steps)) levels[index] = to
  return levels
}

/** How many steps down there are for these tiles. */
export const mostSteps = (tiles: readonly TileFacts[], pageVisible: boolean): number =>
  ways(tiles, wanted(tiles, pageVisible)).length

const wanted = (tiles: readonly TileFacts[], pageVisible: boolean): Level[] =>
  tiles.map((tile) => (pageVisible && tile.visible ? bySize(tile) : 'none'))

function bySize(tile: TileFacts): Level {
  const { streams, width, level, reducedOnly } = tile
  if (!streams.includes('sub')) return 'main'
  if (!streams.includes('main') || reducedOnly) return 'sub'
  const bound = level === 'main' ? MAIN_FROM * (1 - HYSTERESIS) : MAIN_FROM * (1 + HYSTERESIS)
  return width >= bound ? 'main' : 'sub'
}

type Step = Readonly<{ index: number; to: Level }>

/**
 * Whose turn it is to lose: all full pictures first come down to reduced ones, then reduced ones to
 * stills, in both rounds the smallest tile first and what the person looks at last. That never stands
 * still.
 */
function ways(tiles: readonly TileFacts[], levels: readonly Level[]): Step[] {
  const order = tiles
    .map((tile, index) => ({ tile, index, level: levels[index] ?? 'none' }))
    .filter(({ level }) => level !== 'none')
    .sort(
      (one, other) =>
        Number(one.tile.important) - Number(other.tile.important) ||
        one.tile.width - other.tile.width ||
        other.index - one.index,
    )
  const toSub = order.filter(({ tile, level }) => level === 'main' && tile.streams.includes('sub'))
  const toStill = order.filter(({ tile }) => !tile.important)
  return [
    ...toSub.map(({ index }): Step => ({ index, to: 'sub' })),
    ...toStill.map(({ index }): Step => ({ index, to: 'still' })),
  ]
}
