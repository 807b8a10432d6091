/** Stretches of wall time. Instants are milliseconds of UTC since 1970, as `Date` counts them. */

/** From `from` (inclusive) to `to` (exclusive), both in milliseconds of UTC. */
export type TimeRange = Readonly<{ from: number; to: number }>

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const durationOf = (range: TimeRange): number => Math.max(0, range.to - range.from)

export const contains = (range: TimeRange, at: number): boolean => range.from <= at && at < range.to

export const clampTime = (at: number, range: TimeRange): number =>
  Math.min(Math.max(at, range.from), range.to)

/** The part two ranges share; `undefined` when they only touch or are apart. */
export function intersection(one: TimeRange, other: TimeRange): TimeRange | undefined {
  const from = Math.max(one.from, other.from)
  const to = Math.min(one.to, other.to)
  return from < to ? { from, to } : undefined
}

/** Moves a range inside `bounds`, keeping its length where the bounds allow it. */
export function moveInside(range: TimeRange, bounds: TimeRange): TimeRange {
  const length = Math.min(durationOf(range), durationOf(bounds))
  const from = Math.min(Math.max(range.from, bounds.from), bounds.to - length)
  return { from, to: from + length }
}
