import { beforeEach, describe, expect, it } from 'vitest'
import { ServerClock } from './server-clock'

const noon = Date.parse('2026-11-23T12:00:00Z')
let clock: ServerClock
beforeEach(() => {
  clock = new ServerClock()
})

/** The coordinator's clock shows noon and 321 ms when ours shows 0. */
const OFFSET = noon + 321
const dateAt = (ours: number) => Math.floor((OFFSET + ours) / 1_000) * 1_000

function error(at: number): number {
  return Math.abs((clock.now(at) ?? Infinity) - (OFFSET + at))
}

describe('the time at the coordinator', () => {
  it('is not known before an answer', () => {
    expect(clock.now(0)).toBeUndefined()
  })

  it('is known to about half a second after one', () => {
    clock.heard(dateAt(20), 0, 40)
    expect(error(40)).toBeLessThan(530)
  })

  it('is known much better after a minute of answers', () => {
    for (let at = 0; at < 60_000; at += 2_037) clock.heard(dateAt(at + 20), at, at + 40)
    expect(error(60_000)).toBeLessThan(60)
  })

  it('is learned anew when a clock was set', () => {
    for (let at = 0; at < 60_000; at += 2_037) clock.heard(dateAt(at + 20), at, at + 40)
    clock.heard(dateAt(61_000) + 3_600_000, 60_980, 61_020)
    expect((clock.now(61_000) ?? 0) - OFFSET - 61_000 - 3_600_000).toBeLessThan(1_000)
  })

  it('is not changed by an answer that does not say', () => {
    clock.heard(Number.NaN, 0, 10)
    expect(clock.now(10)).toBeUndefined()
  })
})
