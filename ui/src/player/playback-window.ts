/** Which stretch to ask a playlist for. A playlist of a whole day would be megabytes. Pure. */
import { MINUTE, type TimeRange } from '@/time/range'

/** Enough to step back a little without asking again. */
const BEHIND = 2 * MINUTE
const AHEAD = 30 * MINUTE

/** The stretch to prepare for playing from `at`, as far as there can be footage by `now`. */
export function windowFor(at: number, now: number): TimeRange {
  const from = at - BEHIND
  return { from, to: Math.max(Math.min(at + AHEAD, now), at + 1) }
}

/** Footage this near to now is followed live instead of in stretches; in ms. */
const NEAR_LIVE = 20_000

export const isAtLiveEdge = (at: number, now: number): boolean => now - at < NEAR_LIVE
