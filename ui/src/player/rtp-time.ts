/**
 * When a picture was taken, from its RTP timestamp: the coordinator sends the low 32 bits of the
 * picture's wall time in units of 1/90000 s, without a random offset. Pure.
 */

const PER_MS = 90
const RANGE = 2 ** 32

/** The instant nearest to `near` that has this timestamp; both in ms of UTC. True within 6 h either way. */
export function wallOfRtp(rtp: number, near: number): number {
  const expected = Math.round(near * PER_MS)
  const ahead = (((rtp - (expected % RANGE)) % RANGE) + RANGE) % RANGE
  return (expected + (ahead < RANGE / 2 ? ahead : ahead - RANGE)) / PER_MS
}
