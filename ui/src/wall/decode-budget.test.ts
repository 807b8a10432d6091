import { beforeEach, describe, expect, it } from 'vitest'
import { DecodeBudget, type Measurement } from './decode-budget'

const calm: Measurement = {
  time: 2_000,
  decoded: 800,
  dropped: 4,
  decodeTime: 1_500,
  running: 16,
  late: 5,
}
const MOST = 40

let budget: DecodeBudget
let now = 0
beforeEach(() => {
  now = 0
  budget = new DecodeBudget(4)
})

function measure(measurement: Partial<Measurement>, times = 1, most = MOST): number {
  for (let count = 0; count < times; count++) {
    now += 2_000
    budget.measured({ ...calm, ...measurement }, most, now)
  }
  return budget.steps
}

describe('what this computer can decode', () => {
  it('is everything, until it is measured to be less', () => {
    expect(measure({}, 100)).toBe(0)
  })

  it.each<[string, Partial<Measurement>]>([
    ['pictures are thrown away', { dropped: 80 }],
    ['decoding takes all cores', { decodeTime: 6_500 }],
    ['the page does not react', { late: 600 }],
  ])('is less when %s', (_, strain) => {
    expect(measure(strain)).toBe(0)
    expect(measure(strain)).toBe(3)
    expect(measure(strain, 2)).toBe(6)
  })

  it('is not judged by one accident or by a handful of pictures', () => {
    measure({ dropped: 80 })
    measure({})
    expect(measure({ dropped: 80 })).toBe(0)
    expect(measure({ decoded: 5, dropped: 10 }, 10)).toBe(0)
  })

  it('is never less than the least there is', () => {
    expect(measure({ dropped: 400 }, 100)).toBe(MOST)
    expect(measure({ dropped: 400 }, 1, 7)).toBe(7)
  })

  it('is tried again, a step at a time, when it has been calm', () => {
    measure({ dropped: 80 }, 2)
    expect(measure({}, 10)).toBe(3)
    expect(measure({}, 1)).toBe(2)
    expect(measure({}, 10)).toBe(1)
    expect(measure({}, 100)).toBe(0)
  })

  it('is tried less often when it was too early', () => {
    measure({ dropped: 80 }, 2)
    measure({}, 11)
    expect(budget.steps).toBe(2)
    measure({ dropped: 80 }, 2)
    expect(budget.steps).toBe(5)
    expect(measure({}, 11)).toBe(5)
    expect(measure({}, 10)).toBe(4)
  })
})
