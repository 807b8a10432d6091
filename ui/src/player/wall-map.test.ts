import { expect, it } from 'vitest'
import { WallMap } from './wall-map'

const noon = Date.parse('2026-11-23T12:00:00Z')

it('tells when a picture was taken, across what was left out', () => {
  const map = new WallMap()
  expect(map.at(0)).toBeUndefined()
  map.add(0, noon)
  map.add(0.5, noon + 500)
  // Four seconds were skipped; the pictures follow each other all the same.
  map.add(1, noon + 5_000)
  expect(map.at(0.25)).toBe(noon + 250)
  expect(map.at(0.9999)).toBeCloseTo(noon + 5_000, 0)
  expect(map.at(1.2)).toBe(noon + 5_200)
})

it('believes what it was told last', () => {
  const map = new WallMap()
  map.add(0, noon)
  map.add(2, noon + 2_000)
  map.add(2, noon + 9_000)
  map.add(3, Number.NaN)
  expect(map.at(3)).toBe(noon + 10_000)
})

it('does not grow without end', () => {
  const map = new WallMap()
  for (let index = 0; index < 5_000; index++) map.add(index, noon + index * 1_000)
  expect(map.at(4_999)).toBe(noon + 4_999_000)
  expect(map.at(0)).toBeUndefined()
})
