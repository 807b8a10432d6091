import { describe, expect, it } from 'vitest'
import { DAY, HOUR } from './range'
import { addDays, dayAt, dayRange, parseDay, siteZone, zoneOffset, type Day } from './zone'

const at = (text: string) => Date.parse(text)

describe('zoneOffset', () => {
  it.each([
    ['2026-11-23T00:00:00.500Z', 'Asia/Dubai', 4 * HOUR],
    ['2026-01-10T12:00:00Z', 'Europe/Berlin', HOUR],
    ['2026-07-10T12:00:00Z', 'Europe/Berlin', 2 * HOUR],
    ['2026-07-10T12:00:00Z', 'Asia/Kolkata', 5.5 * HOUR],
    ['2026-07-10T12:00:00Z', 'America/St_Johns', -2.5 * HOUR],
  ])('%s in %s', (instant, zone, offset) => {
    expect(zoneOffset(at(instant), zone)).toBe(offset)
  })
})

describe('siteZone', () => {
  it('is a zone that this browser can tell the time in, or none', () => {
    expect(siteZone('Asia/Dubai')).toBe('Asia/Dubai')
    for (const name of [undefined, null, '', 'Asia/Nowhere', 'Mars/Base', '<b>']) {
      expect(siteZone(name)).toBeUndefined()
    }
  })
})

describe('dayRange', () => {
  it('is midnight to midnight on the clocks of the zone', () => {
    expect(dayRange('2026-11-23', 'Asia/Dubai')).toEqual({
      from: at('2026-11-22T20:00:00Z'),
      to: at('2026-11-23T20:00:00Z'),
    })
  })

  it.each([
    ['2026-03-29', 'Europe/Berlin', 23],
    ['2026-10-25', 'Europe/Berlin', 25],
    // Egypt's clocks go forward at midnight: the day begins at 01:00.
    ['2026-04-24', 'Africa/Cairo', 23],
    ['2026-04-23', 'Africa/Cairo', 24],
  ] as [Day, string, number][])('%s in %s has %d hours', (day, zone, hours) => {
    const range = dayRange(day, zone)
    expect((range.to - range.from) / HOUR).toBe(hours)
    expect(dayAt(range.from, zone)).toBe(day)
    expect(dayAt(range.from - 1, zone)).toBe(addDays(day, -1))
    expect(dayAt(range.to - 1, zone)).toBe(day)
  })

  it('leaves no instant of a year out and counts none twice', () => {
    for (const zone of ['Africa/Cairo', 'America/St_Johns', 'Asia/Dubai']) {
      let day: Day = '2026-01-01'
      let end = dayRange(day, zone).from
      for (let count = 0; count < 366; count++, day = addDays(day, 1)) {
        const range = dayRange(day, zone)
        expect(range.from).toBe(end)
        expect(range.to - range.from).toBeGreaterThanOrEqual(DAY - HOUR)
        end = range.to
      }
    }
  })
})

describe('parseDay', () => {
  it.each(['2026-02-29', '2026-13-01', '26-01-01', 'today', '', '2026-11-23T00:00', undefined])(
    'refuses %s',
    (text) => {
      expect(parseDay(text)).toBeUndefined()
    },
  )

  it('keeps a day that exists', () => {
    expect(parseDay('2028-02-29')).toBe('2028-02-29')
  })
})
