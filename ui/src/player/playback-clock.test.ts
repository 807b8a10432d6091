import { describe, expect, it } from 'vitest'
import { PlaybackClock } from './playback-clock'

const noon = Date.parse('2026-11-23T12:00:00Z')
/** Two pieces, a gap of five minutes, one piece. */
const clock = new PlaybackClock([
  { media: 0, duration: 2, wall: noon },
  { media: 2, duration: 2, wall: noon + 2_000 },
  { media: 4, duration: 4, wall: noon + 304_000 },
])

describe('PlaybackClock', () => {
  it.each([
    [0, 0],
    [1.5, 1_500],
    [2, 2_000],
    [3.999, 3_999],
    [4, 304_000],
    [7, 307_000],
    [8, 308_000],
    [100, 308_000],
    [-1, 0],
  ])('shows at %d s what was seen %d ms after noon', (media, wall) => {
    expect(clock.wallAt(media)).toBeCloseTo(noon + wall, 3)
  })

  it('finds the position of an instant, and the next footage across a gap', () => {
    expect(clock.mediaAt(noon + 2_500)).toEqual({ media: 2.5, wall: noon + 2_500 })
    expect(clock.mediaAt(noon + 100_000)).toEqual({ media: 4, wall: noon + 304_000 })
    expect(clock.mediaAt(noon - 100_000)).toEqual({ media: 0, wall: noon })
    expect(clock.mediaAt(noon + 308_000)).toBeUndefined()
  })

  it('knows its ends', () => {
    expect(clock.start).toBe(noon)
    expect(clock.end).toBe(noon + 308_000)
  })

  it('of an empty playlist knows nothing and does not break', () => {
    const empty = new PlaybackClock([{ media: 0, duration: 0, wall: noon }])
    expect(empty.isEmpty).toBe(true)
    expect(empty.wallAt(1)).toBeUndefined()
    expect(empty.mediaAt(noon)).toBeUndefined()
    expect(empty.end).toBeUndefined()
  })

  it('goes there and back', () => {
    for (let wall = noon; wall < noon + 4_000; wall += 130) {
      expect(clock.wallAt(clock.mediaAt(wall)?.media ?? 0)).toBeCloseTo(wall, 3)
    }
  })
})
