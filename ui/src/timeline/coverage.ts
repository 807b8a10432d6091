/**
 * What is known of a stretch of time, read from the API once and asked many times. Pure.
 *
 * Spans touch and do not overlap; the coordinator promises so (`shared/src/timeline.rs`).
 */
import type { Cause, Place, Reason, Span, Timeline } from '@/api/model'
import type { Language } from '@/i18n/direction'
import { contains, durationOf, intersection, type TimeRange } from '@/time/range'
import { offsetOf, type Scale } from './scale'

export type Missing = Readonly<{
  state: 'missing'
  cause: Cause
  reason: Reason
  /** The coordinator's sentence for the reason. */
  sentence: Readonly<Record<Language, string>>
}>

export type Known =
  | Readonly<{ state: 'recorded'; place: Place }>
  | Missing
  | Readonly<{ state: 'not_yet_reported' }>
  | Readonly<{ state: 'unexplained' }>

export type Stretch = TimeRange & Known

/** In order of time. */
export type Coverage = readonly Stretch[]

export const readTimeline = (timeline: Timeline): Coverage =>
  timeline.spans.map(readSpan).sort((one, other) => one.from - other.from)

function readSpan(span: Span): Stretch {
  return { from: Date.parse(span.from), to: Date.parse(span.to), ...known(span) }
}

function known(span: Span): Known {
  switch (span.state) {
    case 'recorded':
      return { state: 'recorded', place: span.place ?? 'centre' }
    case 'missing':
      // A loss without its reason is a loss nobody explained.
      if (!span.cause || !span.reason) return { state: 'unexplained' }
      return {
        state: 'missing',
        cause: span.cause,
        reason: span.reason,
        sentence: { en: span.message_en ?? '', ar: span.message_ar ?? '' },
      }
    case 'not_yet_reported':
      return { state: 'not_yet_reported' }
    case 'unexplained':
      return { state: 'unexplained' }
  }
}

/** Index of the first stretch that ends after `at`; the length when there is none. */
function firstEndingAfter(coverage: Coverage, at: number): number {
  let low = 0
  let high = coverage.length
  while (low < high) {
    const middle = (low + high) >> 1
    const stretch = coverage[middle]
    if (stretch && stretch.to > at) high = middle
    else low = middle + 1
  }
  return low
}

/** What is known of an instant; `undefined` outside everything known. */
export function stretchAt(coverage: Coverage, at: number): Stretch | undefined {
  const stretch = coverage[firstEndingAfter(coverage, at)]
  return stretch && contains(stretch, at) ? stretch : undefined
}

/** `at` itself where there is footage, else where footage next begins; `undefined` for never. */
export function nextFootage(coverage: Coverage, at: number): number | undefined {
  const next = coverage
    .slice(firstEndingAfter(coverage, at))
    .find((stretch) => stretch.state === 'recorded')
  return next && Math.max(next.from, at)
}

/** The same without what lies in the future, where there is nothing to be missed yet. */
export function until(coverage: Coverage, now: number): Coverage {
  return coverage
    .filter((stretch) => stretch.from < now)
    .map((stretch) => (stretch.to <= now ? stretch : { ...stretch, to: now }))
}

/** A stretch that should have been recorded and is not. */
export const isLoss = (stretch: Known): boolean =>
  stretch.state === 'unexplained' || (stretch.state === 'missing' && stretch.cause !== 'policy')

/** The losses, in order. */
export const lossesOf = (coverage: Coverage): Stretch[] => coverage.filter(isLoss)

/** The nearest loss that begins after `at`, or before it when looking back. */
export function neighbourLoss(
  coverage: Coverage,
  at: number,
  way: 'forward' | 'back',
): Stretch | undefined {
  const losses = lossesOf(coverage)
  return way === 'forward'
    ? losses.find((loss) => loss.from > at)
    : losses.findLast((loss) => loss.from < at)
}

/** How a stretch is drawn. */
export type Look = 'centre' | 'edge' | 'lost' | 'policy' | 'pending' | 'unexplained'

export function lookOf(stretch: Known): Look {
  switch (stretch.state) {
    case 'recorded':
      return stretch.place === 'edge' ? 'edge' : 'centre'
    case 'missing':
      return stretch.cause === 'policy' ? 'policy' : 'lost'
    case 'not_yet_reported':
      return 'pending'
    case 'unexplained':
      return 'unexplained'
  }
}

/** A rectangle of the lane, in pixels from the scale's left edge. */
export type Piece = Readonly<{
  look: Look
  offset: number
  width: number
  /** Of a loss, when all that was folded into the piece share it. */
  cause: Cause | undefined
}>

/** A loss is never narrower than this, however far one zooms out: it must not vanish. */
const LEAST_LOSS = 2
/** Neighbours of one look are one piece when nearer than this. */
const TOUCHING = 0.75

/**
 * The pieces of a lane: only what is visible, neighbours of one look folded together, and losses
 * last, so that they lie on top.
 */
export function piecesOf(coverage: Coverage, scale: Scale): Piece[] {
  const visible = coverage.slice(firstEndingAfter(coverage, scale.range.from))
  const base: Piece[] = []
  const losses: Piece[] = []
  for (const stretch of visible) {
    if (stretch.from >= scale.range.to) break
    const seen = intersection(stretch, scale.range)
    if (!seen) continue
    fold(isLoss(stretch) ? losses : base, pieceOf(stretch, seen, scale))
  }
  return [...base, ...losses]
}

function pieceOf(stretch: Stretch, seen: TimeRange, scale: Scale): Piece {
  const one = offsetOf(scale, seen.from)
  const other = offsetOf(scale, seen.to)
  const width = Math.abs(other - one)
  const drawn = isLoss(stretch) ? Math.max(width, LEAST_LOSS) : width
  return {
    look: lookOf(stretch),
    offset: Math.max(0, Math.min(one, other) - (drawn - width) / 2),
    width: drawn,
    cause: stretch.state === 'missing' ? stretch.cause : undefined,
  }
}

function fold(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1)
  if (last?.look !== piece.look || distance(last, piece) > TOUCHING) {
    pieces.push(piece)
    return
  }
  const offset = Math.min(last.offset, piece.offset)
  const end = Math.max(last.offset + last.width, piece.offset + piece.width)
  const cause = last.cause === piece.cause ? last.cause : undefined
  pieces[pieces.length - 1] = { look: last.look, offset, width: end - offset, cause }
}

const distance = (one: Piece, other: Piece): number =>
  Math.max(one.offset, other.offset) - Math.min(one.offset + one.width, other.offset + other.width)

/** Milliseconds of each look inside a range. */
export function lengthsOf(coverage: Coverage, range: TimeRange): Record<Look, number> {
  const lengths = { centre: 0, edge: 0, lost: 0, policy: 0, pending: 0, unexplained: 0 }
  for (const stretch of coverage) {
    const part = intersection(stretch, range)
    if (part) lengths[lookOf(stretch)] += durationOf(part)
  }
  return lengths
}
