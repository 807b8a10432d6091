import { describe, expect, it } from 'vitest'
import { wallOfRtp } from './rtp-time'

const noon = Date.parse('2026-11-23T12:00:00Z')
const HOUR = 3_600_000
/** As the coordinator makes it, from whole microseconds. */
const rtpOf = (wall: number) => Number(((BigInt(wall) * 1000n * 9n) / 100n) % (1n << 32n))

describe('the instant of a picture', () => {
  it.each([0, 40, -300, 2_000, -12_345, 6 * HOUR, -6 * HOUR])(
    'is found %i ms away from what is expected',
    (away) => {
      expect(wallOfRtp(rtpOf(noon + away), noon)).toBeCloseTo(noon + away, 1)
    },
  )

  it('is found on both sides of where the counter begins anew', () => {
    const period = 2 ** 32 / 90
    const turn = Math.ceil(noon / period) * period
    for (const away of [-1_000, -11, 0, 11, 1_000]) {
      const wall = Math.round(turn + away)
      expect(wallOfRtp(rtpOf(wall), turn)).toBeCloseTo(wall, 1)
      expect(wallOfRtp(rtpOf(wall), turn - 500)).toBeCloseTo(wall, 1)
    }
  })
})
