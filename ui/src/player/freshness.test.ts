import { beforeEach, describe, expect, it } from 'vitest'
import { Freshness } from './freshness'

let freshness: Freshness
beforeEach(() => {
  freshness = new Freshness()
})

/** Pictures at a distance, each `age` old when shown; the answer is when the last one came. */
function pictures(count: number, distance: number, age?: number): number {
  for (let index = 0; index < count; index++) freshness.picture(index * distance, age)
  return (count - 1) * distance
}

describe('a picture', () => {
  it('is neither old nor new before there is one', () => {
    expect(freshness.age(1_000_000)).toBeUndefined()
    expect(freshness.isStale(1_000_000)).toBe(false)
  })

  it('that stands still is stale within two seconds, whatever it says of itself', () => {
    const last = pictures(50, 40, 0)
    expect(freshness.isStale(last + 1_400)).toBe(false)
    expect(freshness.isStale(last + 1_600)).toBe(true)
  })

  it('is as old as it was when it came, and the time since', () => {
    const last = pictures(50, 40, 180)
    expect(freshness.age(last + 300)).toBe(480)
  })

  it('that moves but was taken long ago is stale', () => {
    const last = pictures(50, 40, 9_000)
    expect(freshness.isStale(last)).toBe(true)
  })

  it('is fresh again with the next fresh one', () => {
    const last = pictures(50, 40, 9_000)
    freshness.picture(last + 40, 200)
    expect(freshness.isStale(last + 40)).toBe(false)
  })

  it('of a slow camera may stand longer, but not for ever', () => {
    const last = pictures(12, 2_000, 300)
    expect(freshness.isStale(last + 3_900)).toBe(false)
    expect(freshness.isStale(last + 8_100)).toBe(true)
    const slower = pictures(12, 60_000, 300)
    expect(freshness.isStale(slower + 15_500)).toBe(true)
  })

  it('is not given more time because of one interruption', () => {
    const last = pictures(30, 40, 100)
    freshness.picture(last + 7_000, 100)
    freshness.picture(last + 7_040, 100)
    expect(freshness.isStale(last + 7_040 + 1_600)).toBe(true)
  })

  it('from the future is as new as can be', () => {
    freshness.picture(0, -5_000)
    expect(freshness.age(100)).toBe(100)
  })
})
