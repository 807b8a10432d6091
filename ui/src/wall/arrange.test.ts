import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import {
  clear,
  fill,
  nextFor,
  pageOf,
  pages,
  places,
  put,
  readSeats,
  swap,
  withPage,
  writeSeats,
  type Seats,
} from './arrange'

const [a, b, c, d] = [uuid(1), uuid(2), uuid(3), uuid(4)]

describe('a camera', () => {
  it('is put where it is wanted, and replaces what was there', () => {
    expect(put([], 2, a)).toEqual([undefined, undefined, a])
    expect(put([a, b], 0, c)).toEqual([c, b])
  })

  it('that is elsewhere already changes places', () => {
    expect(put([a, b, c], 2, a)).toEqual([c, b, a])
    expect(put([a, b], 3, a)).toEqual([undefined, b, undefined, a])
  })

  it('goes into the next free tile', () => {
    expect(nextFor([a, undefined, c], 4, d)).toBe(1)
    expect(nextFor([a, b, c], 4, d)).toBe(3)
    expect(nextFor([a, b, c, d], 4, uuid(5))).toBeUndefined()
  })

  it('that is there is where it is', () => {
    expect(nextFor([a, b], 4, b)).toBe(1)
    // Kept for a larger layout, but not shown in this one.
    expect(nextFor([a, undefined, b], 2, b)).toBe(1)
  })

  it('leaves the others where they are when it goes', () => {
    expect(clear([a, b, c], 1)).toEqual([a, undefined, c])
    expect(clear([a, b], 1)).toEqual([a])
  })
})

describe('tiles', () => {
  it('change places', () => {
    expect(swap([a, b, c], 0, 2)).toEqual([c, b, a])
    expect(swap([a], 0, 5)).toEqual([undefined, undefined, undefined, undefined, undefined, a])
  })

  it('take as many cameras as there is room for', () => {
    expect(fill([undefined, b], 3, [a, b, c, d])).toEqual([a, b, c])
  })

  it('keep what a smaller layout does not show', () => {
    const seats = [a, b, c, d]
    expect(places(seats, 1)).toEqual([a])
    expect(places(put(seats, 0, uuid(9)), 4)).toEqual([uuid(9), b, c, d])
  })
})

describe('a tour', () => {
  it('shows every camera once', () => {
    const seats = [a, b, undefined, c, d]
    expect(pages(seats, 2)).toBe(3)
    expect([0, 1, 2].map((page) => pageOf(seats, 2, page))).toEqual([[a, b], [undefined, c], [d]])
    expect(pages([], 4)).toBe(1)
    expect(pages([a, b, c, d], 4)).toBe(1)
  })

  it('keeps what is changed on a page on that page', () => {
    expect(withPage([a, b, c, d], 2, 1, [d, c])).toEqual([a, b, d, c])
    expect(withPage([a, b, c, d], 2, 0, [a])).toEqual([a, undefined, c, d])
    expect(withPage([a], 2, 1, [undefined, b])).toEqual([a, undefined, undefined, b])
  })

  it('never shows a camera twice', () => {
    expect(withPage([a, b, c, d], 2, 1, [a, d])).toEqual([undefined, b, a, d])
  })
})

describe('an address', () => {
  it.each<[Seats]>([[[]], [[a]], [[undefined, a, undefined, b]]])('says them all: %j', (seats) => {
    expect(readSeats(writeSeats(seats))).toEqual(seats)
    expect(new URLSearchParams({ tiles: writeSeats(seats) }).toString()).not.toContain('%')
  })

  it('that somebody made up does no harm', () => {
    expect(readSeats(null)).toEqual([])
    expect(readSeats('nonsense..<script>')).toEqual([])
    expect(readSeats(`${a}.${a}.${a.toUpperCase()}`)).toEqual([a])
    expect(readSeats(Array.from({ length: 9_999 }, (_, i) => uuid(i)).join('.'))).toHaveLength(64)
  })
})
