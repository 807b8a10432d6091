import { describe, expect, it } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '@/time/range'
import {
  centredOn,
  firstView,
  following,
  keyStep,
  offsetOf,
  shifted,
  SHORTEST_VIEW,
  ticksOf,
  timeAt,
  zoomed,
  type Scale,
} from './scale'

const day = { from: 0, to: DAY }
const scale = (direction: 'ltr' | 'rtl', range = day, width = 1000): Scale => ({
  range,
  width,
  direction,
})

describe('offsets', () => {
  it.each(['ltr', 'rtl'] as const)('go there and back (%s)', (direction) => {
    for (const at of [0, HOUR, 7 * HOUR + 123_456, DAY]) {
      expect(timeAt(scale(direction), offsetOf(scale(direction), at))).toBe(at)
    }
  })

  it('begin at the left, or at the right when time runs the other way', () => {
    expect(offsetOf(scale('ltr'), 0)).toBe(0)
    expect(offsetOf(scale('rtl'), 0)).toBe(1000)
  })

  it('outside the lane count as its ends', () => {
    expect(timeAt(scale('ltr'), -50)).toBe(0)
    expect(timeAt(scale('ltr'), 5000)).toBe(DAY)
  })

  it('of a lane without width are harmless', () => {
    expect(timeAt(scale('ltr', day, 0), 10)).toBe(DAY)
    expect(offsetOf(scale('ltr', day, 0), HOUR)).toBe(0)
  })
})

describe('zoom', () => {
  it('keeps the anchor where it is on the screen', () => {
    const view = zoomed(day, 0.25, 6 * HOUR, day)
    expect(view.to - view.from).toBe(6 * HOUR)
    expect(offsetOf(scale('ltr', view), 6 * HOUR)).toBeCloseTo(offsetOf(scale('ltr'), 6 * HOUR))
  })

  it('never shows less than a minute, nor anything outside the day', () => {
    let view = day
    for (let count = 0; count < 40; count++) view = zoomed(view, 0.5, 23 * HOUR, day)
    expect(view.to - view.from).toBe(SHORTEST_VIEW)
    for (let count = 0; count < 40; count++) view = zoomed(view, 2, 23 * HOUR, day)
    expect(view).toEqual(day)
  })

  it('takes an anchor outside the view as its nearer end', () => {
    const view = { from: 6 * HOUR, to: 7 * HOUR }
    expect(zoomed(view, 0.5, 20 * HOUR, day).to).toBe(7 * HOUR)
  })
})

describe('movement', () => {
  it('stops at the ends of the day without changing the length', () => {
    const view = { from: 22 * HOUR, to: 23 * HOUR }
    expect(shifted(view, 5 * HOUR, day)).toEqual({ from: 23 * HOUR, to: DAY })
    expect(shifted(view, -30 * HOUR, day)).toEqual({ from: 0, to: HOUR })
    expect(centredOn(view, 12 * HOUR, day)).toEqual({ from: 11.5 * HOUR, to: 12.5 * HOUR })
  })

  it('turns the page when the playhead leaves, and not before', () => {
    const view = { from: 10 * HOUR, to: 11 * HOUR }
    expect(following(view, 10.5 * HOUR, day)).toBe(view)
    const turned = following(view, 11 * HOUR, day)
    expect(turned.from).toBeGreaterThan(10.5 * HOUR)
    expect(turned.from).toBeLessThan(11 * HOUR)
    expect(following(day, DAY, day)).toBe(day)
  })
})

describe('ticks', () => {
  it.each([
    [DAY, 1000],
    [DAY, 300],
    [HOUR, 1000],
    [10 * MINUTE, 800],
    [MINUTE, 1200],
  ])('of %d ms over %d px are round, in view and leave room for labels', (length, width) => {
    const origin = -4 * HOUR
    const range = { from: origin + 5 * HOUR + 1234, to: origin + 5 * HOUR + 1234 + length }
    const ticks = ticksOf({ range, width, direction: 'ltr' }, origin)
    const labelled = ticks.filter((tick) => tick.labelled)
    expect(labelled.length).toBeGreaterThan(0)
    for (const tick of ticks) {
      expect((tick.at - origin) % SECOND).toBe(0)
      expect(tick.at).toBeGreaterThanOrEqual(range.from)
      expect(tick.at).toBeLessThanOrEqual(range.to)
    }
    for (const [index, tick] of labelled.entries()) {
      const next = labelled[index + 1]
      if (next) expect(((next.at - tick.at) / length) * width).toBeGreaterThanOrEqual(76)
    }
  })
})

describe('keyStep', () => {
  it.each([
    [DAY, 2 * MINUTE],
    [HOUR, 10 * SECOND],
    [MINUTE, SECOND],
  ])('in a view of %d ms is %d ms', (length, step) => {
    expect(keyStep({ from: 0, to: length })).toBe(step)
  })
})

describe('the first view', () => {
  it.each([
    ['nothing known', undefined, day],
    ['a day known', day, day],
    ['three hours known', { from: 9 * HOUR, to: 12 * HOUR }, day],
    [
      'half a minute known',
      { from: 9 * HOUR, to: 9 * HOUR + 30 * SECOND },
      { from: 9 * HOUR, to: 9 * HOUR + 10 * MINUTE },
    ],
    [
      'twenty minutes known',
      { from: 9 * HOUR, to: 9 * HOUR + 20 * MINUTE },
      { from: 9 * HOUR, to: 10 * HOUR },
    ],
    [
      'known only since just before midnight',
      { from: DAY - MINUTE, to: DAY },
      { from: DAY - 10 * MINUTE, to: DAY },
    ],
  ])('with %s', (_, known, view) => {
    expect(firstView(day, known)).toEqual(view)
  })
})
