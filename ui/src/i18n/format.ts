/**
 * Numbers, times and sizes for people. All use of `Intl` for output is here.
 *
 * Arabic is written with Western digits and the Gregorian calendar, as road signs, number plates and
 * burned-in camera clocks in the Emirates are (`design/ui.md`). Times are 24-hour in both languages.
 */
import { HOUR, MINUTE, SECOND } from '@/time/range'
import { zoneOffset, type Day } from '@/time/zone'
import type { Language } from './direction'

const LOCALES: Record<Language, string> = { en: 'en-GB', ar: 'ar-AE-u-nu-latn-ca-gregory' }

const DATA_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const

/** One set per language and zone; make it once and keep it. */
export type Format = Readonly<{
  language: Language
  /** The zone that times are shown in, as an IANA name. */
  zone: string
  /** In place of a fact that is not known. */
  nothing: string
  number: (value: number, fractionDigits?: number) => string
  /** A speed: `0.5×`. */
  rate: (times: number) => string
  percent: (ratio: number) => string
  /** Decimal units, as disks are sold. */
  bytes: (count: number) => string
  bitrate: (bitsPerSecond: number) => string
  frameRate: (fps: number) => string
  /** `14:03:05`. */
  time: (at: number) => string
  /** `14:03`. */
  timeShort: (at: number) => string
  /** `14:03:05.240`. */
  timeMillis: (at: number) => string
  /** `Mon, 23 Nov 2026`. */
  date: (at: number) => string
  /** A calendar day, whatever the zone. */
  day: (day: Day) => string
  /** `23 Nov 2026, 14:03:05`. */
  dateTime: (at: number) => string
  /** `Mon 14:03`: for an instant within days of now. */
  weekdayTime: (at: number) => string
  /** `2026-11-23 10:03:05.240 UTC`: the same in every language, for reports. */
  utc: (at: number) => string
  /** `UTC+4`: which clock the times are read from. */
  zoneLabel: (at: number) => string
  /** A length with its two largest units: `3h 12m`, `4.2s`. */
  duration: (millis: number) => string
  /** The same in whole seconds, for what ticks. */
  age: (millis: number) => string
  /** Orders names as people do: letters of the language, numbers by value. */
  compare: (one: string, other: string) => number
  /** A small length, from microseconds: `12 ms`, `1.4s`. */
  length: (micros: number) => string
  /** A signed small length for clocks: `+12 ms`, `-1.4 s`. */
  offset: (micros: number) => string
}>

const cache = new Map<string, Format>()

export function formatFor(language: Language, zone: string): Format {
  const key = `${language} ${zone}`
  let format = cache.get(key)
  if (!format) {
    format = createFormat(language, zone)
    cache.set(key, format)
  }
  return format
}

function createFormat(language: Language, zone: string): Format {
  const locale = LOCALES[language]
  const dates = (options: Intl.DateTimeFormatOptions, timeZone = zone) => {
    const format = new Intl.DateTimeFormat(locale, { timeZone, hourCycle: 'h23', ...options })
    return (at: number) => format.format(at)
  }
  const numbers = (options: Intl.NumberFormatOptions) => {
    const format = new Intl.NumberFormat(locale, options)
    return (value: number) => format.format(value)
  }
  const unit = (name: string, fractionDigits = 0, unitDisplay: 'short' | 'narrow' = 'short') =>
    numbers({ style: 'unit', unit: name, unitDisplay, maximumFractionDigits: fractionDigits })

  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
  const seconds = unit('second', 0, 'narrow')
  const lengths = [
    // Longer forms would have to follow the grammar of the sentence they stand in.
    { size: 24 * HOUR, write: unit('day', 0, 'narrow') },
    { size: HOUR, write: unit('hour', 0, 'narrow') },
    { size: MINUTE, write: unit('minute', 0, 'narrow') },
    { size: SECOND, write: seconds },
  ]
  const tenths = unit('second', 1, 'narrow')
  const millis = unit('millisecond')
  const signedMillis = numbers({
    style: 'unit',
    unit: 'millisecond',
    unitDisplay: 'short',
    signDisplay: 'exceptZero',
    maximumFractionDigits: 0,
  })
  const signedSeconds = numbers({
    style: 'unit',
    unit: 'second',
    unitDisplay: 'narrow',
    signDisplay: 'exceptZero',
    maximumFractionDigits: 1,
  })
  const tenth = numbers({ maximumFractionDigits: 1 })
  const sizes = DATA_UNITS.map((name) => ({ whole: unit(name, 0), small: unit(name, 1) }))
  const kilobits = unit('kilobit-per-second')
  const megabits = unit('megabit-per-second', 1)
  const day = dates({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }, 'UTC')

  return {
    language,
    zone,
    nothing: '–',
    rate: (times) => `${tenth(times)}×`,
    number: (value, fractionDigits = 0) =>
      numbers({ maximumFractionDigits: fractionDigits })(value),
    percent: numbers({ style: 'percent', maximumFractionDigits: 1 }),
    bytes: (count) => {
      const power = Math.min(
        DATA_UNITS.length - 1,
        Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)),
      )
      const value = count / 1000 ** power
      const write = sizes[power]
      return write ? (value < 10 && power > 0 ? write.small : write.whole)(value) : ''
    },
    bitrate: (bits) => (bits < 1e6 ? kilobits(bits / 1e3) : megabits(bits / 1e6)),
    frameRate: tenth,
    time: dates(clock),
    timeShort: dates({ hour: '2-digit', minute: '2-digit' }),
    timeMillis: dates({ ...clock, fractionalSecondDigits: 3 }),
    date: dates({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }),
    day: (value) => day(Date.parse(`${value}T00:00:00Z`)),
    dateTime: dates({ day: 'numeric', month: 'short', year: 'numeric', ...clock }),
    weekdayTime: dates({ weekday: 'long', hour: '2-digit', minute: '2-digit' }),
    utc: (at) => `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`,
    zoneLabel: (at) => zoneLabel(zoneOffset(at, zone)),
    duration: (millis) => {
      if (millis < 10 * SECOND) return tenths(Math.max(0, Math.round(millis / 100) / 10))
      return twoLargest(millis, lengths).join(' ')
    },
    age: (millis) => {
      const whole = Math.max(0, Math.floor(millis / SECOND)) * SECOND
      return twoLargest(whole, lengths).join(' ') || seconds(0)
    },
    compare: new Intl.Collator(locale, { numeric: true }).compare,
    length: (micros) => (micros < 1e6 ? millis(micros / 1e3) : tenths(micros / 1e6)),
    offset: (micros) =>
      Math.abs(micros) < 1e6 ? signedMillis(micros / 1e3) : signedSeconds(micros / 1e6),
  }
}

type Length = Readonly<{ size: number; write: (value: number) => string }>

function twoLargest(millis: number, lengths: readonly Length[]): string[] {
  const first = lengths.findIndex((length) => millis >= length.size)
  if (first < 0) return []
  const parts: string[] = []
  let rest = millis
  for (const length of lengths.slice(first, first + 2)) {
    const count = Math.floor(rest / length.size)
    rest -= count * length.size
    if (count > 0) parts.push(length.write(count))
  }
  return parts
}

function zoneLabel(offset: number): string {
  const minutes = Math.abs(offset) / MINUTE
  const sign = offset < 0 ? '−' : '+'
  const rest = minutes % 60
  const hours = `${sign}${Math.floor(minutes / 60)}`
  return `UTC${hours}${rest ? `:${String(rest).padStart(2, '0')}` : ''}`
}
