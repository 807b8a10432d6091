/**
 * From time to pixels and back, and which stretch is in view. Pure.
 *
 * Offsets are physical: pixels from the left edge. Which end is early is the scale's `direction`;
 * `design/ui.md` says which one the day timeline takes, and why.
 */
import type { Direction } from '@/i18n/direction'
import {
  clampTime,
  DAY,
  durationOf,
  HOUR,
  MINUTE,
  moveInside,
  SECOND,
  type TimeRange,
} from '@/time/range'

export type Scale = Readonly<{ range: TimeRange; width: number; direction: Direction }>

/** The closest one can look. */
export const SHORTEST_VIEW = MINUTE

export function offsetOf({ range, width, direction }: Scale, at: number): number {
  const ratio = (at - range.from) / Math.max(1, durationOf(range))
  return (direction === 'ltr' ? ratio : 1 - ratio) * width
}

export function timeAt({ range, width, direction }: Scale, offset: number): number {
  const ratio = Math.min(1, Math.max(0, offset / Math.max(1, width)))
  return Math.round(range.from + (direction === 'ltr' ? ratio : 1 - ratio) * durationOf(range))
}

/**
 * Shows `factor` times as much time (under 1: closer), leaving `anchor` where it is on the screen,
 * never less than a minute and never outside `bounds`.
 */
export function zoomed(
  view: TimeRange,
  factor: number,
  anchor: number,
  bounds: TimeRange,
): TimeRange {
  const fixed = clampTime(anchor, view)
  const length = Math.min(
    Math.max(durationOf(view) * factor, SHORTEST_VIEW),
    Math.max(SHORTEST_VIEW, durationOf(bounds)),
  )
  const ratio = (fixed - view.from) / Math.max(1, durationOf(view))
  const from = Math.round(fixed - ratio * length)
  return moveInside({ from, to: from + Math.round(length) }, bounds)
}

export const shifted = (view: TimeRange, by: number, bounds: TimeRange): TimeRange =>
  moveInside({ from: view.from + by, to: view.to + by }, bounds)

/** A view around an instant, with the same length. */
export const centredOn = (view: TimeRange, at: number, bounds: TimeRange): TimeRange =>
  shifted(view, at - (view.from + view.to) / 2, bounds)

/** Turns the page when the playhead runs out of view; otherwise the very same view. */
export function following(view: TimeRange, at: number, bounds: TimeRange): TimeRange {
  if (at >= view.from && at <= view.to - durationOf(view) * 0.02) return view
  const moved = shifted(view, at - (view.from + durationOf(view) * 0.1), bounds)
  return moved.from === view.from ? view : moved
}

/** A day of which less than this part is known is first shown from where it becomes known. */
const LITTLE = 1 / 12
const SHORTEST_FIRST_VIEW = 10 * MINUTE

/** What to show of a day before anyone has said: all of it, or what is known while that is little. */
export function firstView(bounds: TimeRange, known: TimeRange | undefined): TimeRange {
  if (!known || durationOf(known) > durationOf(bounds) * LITTLE) return bounds
  const young = durationOf(known) < SHORTEST_FIRST_VIEW * 0.8
  const wanted = young ? SHORTEST_FIRST_VIEW : Math.ceil(durationOf(known) / HOUR) * HOUR
  return moveInside({ from: known.from, to: known.from + wanted }, bounds)
}

const STEPS = [
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  4 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
]

/** Room for a label such as `14:03:05`, in pixels. */
const LABEL_ROOM = 76
const MINOR_ROOM = 9

export type Tick = Readonly<{ at: number; labelled: boolean }>

/** Round times in view, counted from `origin` (the start of the day); some carry a label. */
export function ticksOf({ range, width }: Scale, origin: number): Tick[] {
  const perPixel = durationOf(range) / Math.max(1, width)
  const major = STEPS.find((step) => step / perPixel >= LABEL_ROOM) ?? DAY
  const minor = STEPS.find((step) => major % step === 0 && step / perPixel >= MINOR_ROOM) ?? major
  const ticks: Tick[] = []
  const first = Math.ceil((range.from - origin) / minor)
  for (let index = first; origin + index * minor <= range.to; index++) {
    ticks.push({ at: origin + index * minor, labelled: (index * minor) % major === 0 })
  }
  return ticks
}

/** How far an arrow key moves: about a three-hundredth of the view, in a round step. */
export function keyStep(view: TimeRange): number {
  const wanted = durationOf(view) / 300
  return STEPS.findLast((step) => step <= wanted) ?? SECOND
}
