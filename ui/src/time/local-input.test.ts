import { expect, it } from 'vitest'
import { localInput, readLocalInput } from './zone'

it.each([
  ['2026-11-23T10:03:00Z', 'Asia/Dubai', '2026-11-23T14:03'],
  ['2026-11-23T22:30:00Z', 'Asia/Dubai', '2026-11-24T02:30'],
  ['2026-11-23T10:03:00Z', 'UTC', '2026-11-23T10:03'],
  ['2026-07-01T10:00:00Z', 'Europe/Berlin', '2026-07-01T12:00'],
  ['2026-03-29T01:30:00Z', 'Europe/Berlin', '2026-03-29T03:30'],
])('%s in %s is %s, and back', (instant, zone, text) => {
  const at = Date.parse(instant)
  expect(localInput(at, zone)).toBe(text)
  expect(readLocalInput(text, zone)).toBe(at)
})

it('a time that the clocks show twice is the earlier one', () => {
  const at = readLocalInput('2026-10-25T02:30', 'Europe/Berlin')
  expect(at).toBe(Date.parse('2026-10-25T00:30:00Z'))
})

it('nothing typed is no time', () => {
  expect(readLocalInput('', 'Asia/Dubai')).toBeUndefined()
})
