import { describe, expect, it } from 'vitest'
import { LEVELS, MAIN_FROM, mostSteps, plan, type TileFacts } from './stream-plan'

const tile = (parts: Partial<TileFacts> = {}): TileFacts => ({
  camera: 'c',
  streams: ['main', 'sub'],
  width: 300,
  visible: true,
  important: false,
  reducedOnly: false,
  level: 'none',
  ...parts,
})

const one = (parts: Partial<TileFacts>) => plan([tile(parts)], true, 0)[0]

describe('a tile', () => {
  it('gets the picture that fits its size', () => {
    expect(one({ width: 1_600 })).toBe('main')
    expect(one({ width: 300 })).toBe('sub')
  })

  it('gets what the camera has', () => {
    expect(one({ width: 300, streams: ['main'] })).toBe('main')
    expect(one({ width: 1_600, streams: ['sub'] })).toBe('sub')
  })

  it('gets the reduced picture where the full one was refused', () => {
    expect(one({ width: 1_600, reducedOnly: true })).toBe('sub')
  })

  it('gets nothing where nobody sees it', () => {
    expect(one({ visible: false })).toBe('none')
    expect(plan([tile(), tile()], false, 0)).toEqual(['none', 'none'])
  })

  it('does not go back and forth while a window is pulled at its edge', () => {
    expect(one({ width: MAIN_FROM + 20, level: 'sub' })).toBe('sub')
    expect(one({ width: MAIN_FROM - 20, level: 'main' })).toBe('main')
    expect(one({ width: MAIN_FROM * 1.2, level: 'sub' })).toBe('main')
    expect(one({ width: MAIN_FROM * 0.8, level: 'main' })).toBe('sub')
  })
})

describe('a computer that cannot decode it all', () => {
  const wall = [
    tile({ width: 1_200, important: true }),
    tile({ width: 1_000 }),
    tile({ width: 300 }),
    tile({ width: 300 }),
    tile({ width: 300, visible: false }),
  ]

  it('gives up detail first, then movement, smallest first', () => {
    const all = Array.from({ length: 6 }, (_, steps) => plan(wall, true, steps).join(' '))
    expect(all).toEqual([
      'main main sub sub none',
      'main sub sub sub none',
      'sub sub sub sub none',
      'sub sub sub still none',
      'sub sub still still none',
      'sub still still still none',
    ])
  })

  it('keeps moving what the person looks at, however much is asked for', () => {
    expect(plan(wall, true, 500)[0]).toBe('sub')
    expect(mostSteps(wall, true)).toBe(5)
    expect(mostSteps(wall, false)).toBe(0)
  })

  it('shows a still of a camera that has no reduced stream', () => {
    expect(plan([tile({ streams: ['main'] })], true, 1)).toEqual(['still'])
  })

  it('never gives a tile more than with a step less', () => {
    const rank = (level: (typeof LEVELS)[number]) => LEVELS.indexOf(level)
    for (let steps = 0; steps < mostSteps(wall, true); steps++) {
      const [before, after] = [plan(wall, true, steps), plan(wall, true, steps + 1)]
      before.forEach((level, index) => {
        expect(rank(after[index]!)).toBeGreaterThanOrEqual(rank(level))
      })
      expect(after).not.toEqual(before)
    }
  })
})
