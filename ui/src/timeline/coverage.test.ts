import { describe, expect, it } from 'vitest'
import type { Place, Span, Timeline } from '@/api/model'
import { HOUR, MINUTE, SECOND } from '@/time/range'
import {
  isLoss,
  lengthsOf,
  lossesOf,
  neighbourLoss,
  nextFootage,
  piecesOf,
  readTimeline,
  stretchAt,
  type Coverage,
} from './coverage'
import type { Scale } from './scale'

const start = Date.parse('2026-11-23T00:00:00Z')
const iso = (at: number) => new Date(start + at).toISOString()
const recorded = (from: number, to: number, place: Place): Span => ({
  from: iso(from),
  to: iso(to),
  state: 'recorded',
  place,
})
const lost = (from: number, to: number): Span => ({
  from: iso(from),
  to: iso(to),
  state: 'missing',
  cause: 'network',
  reason: 'camera_unreachable',
  message_en: 'The camera could not be reached.',
  message_ar: 'تعذّر الوصول إلى الكاميرا.',
})

function coverageOf(...spans: Span[]): Coverage {
  const seconds = {
    recorded: 0,
    edge_only: 0,
    missing: 0,
    policy: 0,
    not_yet_reported: 0,
    unexplained: 0,
  }
  const timeline: Timeline = {
    camera_id: 'c',
    stream: 'main',
    from: iso(0),
    to: iso(HOUR),
    spans,
    seconds,
    complete: true,
  }
  return readTimeline(timeline)
}

const hour = coverageOf(
  recorded(0, 20 * MINUTE, 'both'),
  lost(20 * MINUTE, 25 * MINUTE),
  recorded(25 * MINUTE, 40 * MINUTE, 'edge'),
  { from: iso(40 * MINUTE), to: iso(41 * MINUTE), state: 'unexplained' },
  {
    from: iso(41 * MINUTE),
    to: iso(50 * MINUTE),
    state: 'missing',
    cause: 'policy',
    reason: 'recording_off',
  },
  { from: iso(50 * MINUTE), to: iso(HOUR), state: 'not_yet_reported' },
)
const scale: Scale = { range: { from: start, to: start + HOUR }, width: 600, direction: 'ltr' }

describe('what is known of an instant', () => {
  it.each([
    [0, 'recorded'],
    [20 * MINUTE - 1, 'recorded'],
    [20 * MINUTE, 'missing'],
    [40 * MINUTE, 'unexplained'],
    [HOUR - 1, 'not_yet_reported'],
  ])('at %d is %s', (at, state) => {
    expect(stretchAt(hour, start + at)?.state).toBe(state)
  })

  it('is nothing outside, nor in a hole', () => {
    expect(stretchAt(hour, start - 1)).toBeUndefined()
    expect(stretchAt(hour, start + HOUR)).toBeUndefined()
    const holed = coverageOf(recorded(0, MINUTE, 'both'), recorded(2 * MINUTE, HOUR, 'both'))
    expect(stretchAt(holed, start + 90 * SECOND)).toBeUndefined()
  })

  it('a loss without a reason is unexplained', () => {
    const bare = coverageOf({ from: iso(0), to: iso(MINUTE), state: 'missing' })
    expect(bare[0]?.state).toBe('unexplained')
  })
})

describe('footage', () => {
  it('is here, or begins after the gap, or never comes', () => {
    expect(nextFootage(hour, start + MINUTE)).toBe(start + MINUTE)
    expect(nextFootage(hour, start + 21 * MINUTE)).toBe(start + 25 * MINUTE)
    expect(nextFootage(hour, start - HOUR)).toBe(start)
    expect(nextFootage(hour, start + 45 * MINUTE)).toBeUndefined()
    expect(nextFootage([], start)).toBeUndefined()
  })
})

describe('losses', () => {
  it('leave out what policy did not ask for and what is still to come', () => {
    expect(lossesOf(hour).map((loss) => loss.from - start)).toEqual([20 * MINUTE, 40 * MINUTE])
    expect(hour.filter(isLoss)).toHaveLength(2)
  })

  it('have neighbours both ways', () => {
    expect(neighbourLoss(hour, start + 30 * MINUTE, 'forward')?.from).toBe(start + 40 * MINUTE)
    expect(neighbourLoss(hour, start + 30 * MINUTE, 'back')?.from).toBe(start + 20 * MINUTE)
    expect(neighbourLoss(hour, start + 41 * MINUTE, 'forward')).toBeUndefined()
  })
})

describe('pieces', () => {
  it('draw each look where it is', () => {
    const pieces = piecesOf(hour, scale)
    expect(pieces.map(({ look, offset, width }) => [look, offset, width])).toEqual([
      ['centre', 0, 200],
      ['edge', 250, 150],
      ['policy', 410, 90],
      ['pending', 500, 100],
      ['lost', 200, 50],
      ['unexplained', 400, 10],
    ])
  })

  it('mirror with the scale', () => {
    const first = piecesOf(hour, { ...scale, direction: 'rtl' })[0]
    expect(first?.look).toBe('centre')
    expect(first?.offset).toBeCloseTo(400)
    expect(first?.width).toBeCloseTo(200)
  })

  it('leave out what is not in view and cut what is partly in view', () => {
    const view = { from: start + 22 * MINUTE, to: start + 32 * MINUTE }
    expect(piecesOf(hour, { ...scale, range: view }).map((piece) => piece.look)).toEqual([
      'edge',
      'lost',
    ])
  })

  it('never let a loss vanish', () => {
    const blink = coverageOf(
      recorded(0, 30 * MINUTE, 'both'),
      lost(30 * MINUTE, 30 * MINUTE + 40),
      recorded(30 * MINUTE + 40, HOUR, 'both'),
    )
    const pieces = piecesOf(blink, scale)
    expect(pieces.find((piece) => piece.look === 'lost')?.width).toBeGreaterThanOrEqual(2)
    expect(pieces.filter((piece) => piece.look === 'centre')).toHaveLength(1)
  })

  it('of ten thousand losses fold into what a screen can show', () => {
    const spans: Span[] = []
    for (let index = 0; index < 10_000; index++) {
      const from = index * 360
      spans.push(recorded(from, from + 200, 'both'), lost(from + 200, from + 360))
    }
    expect(piecesOf(coverageOf(...spans), scale).length).toBeLessThan(10)
  })
})

describe('lengths', () => {
  it('add up to the range', () => {
    const lengths = lengthsOf(hour, { from: start + 10 * MINUTE, to: start + 45 * MINUTE })
    expect(lengths).toEqual({
      centre: 10 * MINUTE,
      edge: 15 * MINUTE,
      lost: 5 * MINUTE,
      policy: 4 * MINUTE,
      pending: 0,
      unexplained: MINUTE,
    })
  })
})
