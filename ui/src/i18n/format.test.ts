import { describe, expect, it } from 'vitest'
import { formatFor } from './format'

const en = formatFor('en', 'Asia/Dubai')
const ar = formatFor('ar', 'Asia/Dubai')
const at = Date.parse('2026-11-23T10:03:05.240Z')
const ARABIC_DIGITS = /[\u0660-\u0669]/

describe('times', () => {
  it('are of the zone, in 24 hours, in both languages', () => {
    expect(en.time(at)).toBe('14:03:05')
    expect(ar.time(at)).toBe('14:03:05')
    expect(en.timeMillis(at)).toBe('14:03:05.240')
    expect(ar.timeMillis(at)).toBe('14:03:05.240')
    expect(en.timeShort(Date.parse('2026-11-22T20:00:00Z'))).toBe('00:00')
  })

  it('name their zone', () => {
    expect(en.zoneLabel(at)).toBe('UTC+4')
    expect(formatFor('en', 'Asia/Kolkata').zoneLabel(at)).toBe('UTC+5:30')
    expect(formatFor('en', 'America/St_Johns').zoneLabel(at)).toBe('UTC−3:30')
    expect(formatFor('en', 'UTC').zoneLabel(at)).toBe('UTC+0')
  })

  it('in UTC read the same everywhere', () => {
    expect(en.utc(at)).toBe('2026-11-23 10:03:05.240 UTC')
    expect(ar.utc(at)).toBe(en.utc(at))
  })

  it('days are the day that was asked for, whatever the zone', () => {
    for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
      expect(formatFor('en', zone).day('2026-11-23')).toBe('Mon, 23 Nov 2026')
    }
    expect(ar.day('2026-11-23')).toContain('نوفمبر')
  })
})

describe('Arabic', () => {
  it('is written with Western digits', () => {
    const written = [
      ar.number(12345.6, 1),
      ar.bytes(5e9),
      ar.bitrate(4.2e6),
      ar.dateTime(at),
      ar.duration(3_700_000),
      ar.percent(0.5),
      ar.offset(1500),
    ]
    for (const text of written) {
      expect(text).not.toMatch(ARABIC_DIGITS)
      expect(text).toMatch(/\d/)
    }
  })
})

describe('sizes', () => {
  it.each([
    [0, '0 byte'],
    [999, '999 byte'],
    [1_000, '1 kB'],
    [1_500_000, '1.5 MB'],
    [25_400_000_000, '25 GB'],
    [4e15, '4 PB'],
    [4e18, '4,000 PB'],
  ])('%d is %s', (bytes, text) => {
    expect(en.bytes(bytes)).toBe(text)
  })
})

describe('lengths', () => {
  it.each([
    [-5, '0s'],
    [400, '0.4s'],
    [9_960, '10s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [192_000, '3m 12s'],
    [3_600_000, '1h'],
    [90_061_000, '1d 1h'],
  ])('%d ms is %s', (millis, text) => {
    expect(en.duration(millis)).toBe(text)
  })

  it('of clocks keep their sign', () => {
    expect(en.offset(12_300)).toBe('+12 ms')
    expect(en.offset(-1_400_000)).toBe('-1.4s')
    expect(en.offset(0)).toBe('0 ms')
  })
})

describe('names', () => {
  it('are ordered as people count', () => {
    expect(['Gate 10', 'gate 2', 'Bay'].sort(en.compare)).toEqual(['Bay', 'gate 2', 'Gate 10'])
  })
})
