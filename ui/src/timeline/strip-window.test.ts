import { expect, it } from 'vitest'
import { DAY, HOUR, MINUTE } from '@/time/range'
import { stripWindow } from './strip-window'

it.each([
  [0, 10 * MINUTE],
  [10 * MINUTE, 10 * MINUTE],
  [10 * MINUTE + 1, HOUR],
  [5 * HOUR, 6 * HOUR],
  [7 * HOUR, DAY],
  [300 * DAY, DAY],
])('what is %d ms old is shown in a strip of %d ms', (age, length) => {
  expect(stripWindow(1e12 - age, 1e12).length).toBe(length)
})
