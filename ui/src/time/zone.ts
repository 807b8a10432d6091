/** Days and zones. The only arithmetic on local time; everything else counts in UTC. */
import { DAY, HOUR, SECOND, type TimeRange } from './range'

/** A calendar day, `YYYY-MM-DD`. */
export type Day = `${number}-${number}-${number}`

/** The zone this workstation is set to, as an IANA name. */
export const workstationZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone

/** The zone of a site, as its agent told it; `undefined` when it did not, or this browser has none of that name. */
export function siteZone(name: string | null | undefined): string | undefined {
  if (!name) return undefined
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

const clocks = new Map<string, Intl.DateTimeFormat>()

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone)
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    clocks.set(zone, clock)
  }
  return clock
}

/** How far the zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function zoneOffset(at: number, zone: string): number {
  const parts = new Map(
    clockOf(zone)
      .formatToParts(at)
      .map((part) => [part.type, Number(part.value)]),
  )
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
  const local = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return local - Math.floor(at / SECOND) * SECOND
}

/** The calendar day on the zone's clocks at an instant. */
export function dayAt(at: number, zone: string): Day {
  return new Date(at + zoneOffset(at, zone)).toISOString().slice(0, 10) as Day
}

/** `2026-11-23T14:03` on the zone's clocks, as a native input of date and time wants it. */
export const localInput = (at: number, zone: string): string =>
  new Date(at + zoneOffset(at, zone)).toISOString().slice(0, 16)

/**
 * The instant that such an input means; `undefined` for none. A time that the clocks show twice is
 * the earlier one, and one that they skip is as far after the change as it says.
 */
export function readLocalInput(text: string, zone: string): number | undefined {
  const local = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text)
    ? Date.parse(`${text.slice(0, 16)}:00Z`)
    : NaN
  if (Number.isNaN(local)) return undefined
  const before = zoneOffset(local - DAY, zone)
  const first = local - before
  return zoneOffset(first, zone) === before ? first : local - zoneOffset(local - before, zone)
}

/** `undefined` unless the text is a day that exists. */
export function parseDay(text: string | null | undefined): Day | undefined {
  if (!text || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  const at = Date.parse(`${text}T00:00:00Z`)
  const exists = !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
  return exists ? (text as Day) : undefined
}

/** The day a number of days later, or earlier when negative. */
export function addDays(day: Day, count: number): Day {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * DAY).toISOString().slice(0, 10) as Day
}

/**
 * The instants a day covers on the zone's clocks: 24 hours, or 23 or 25 where the clocks change.
 * Where a change skips midnight the day begins with its first instant.
 */
export function dayRange(day: Day, zone: string): TimeRange {
  return { from: dayStart(day, zone), to: dayStart(addDays(day, 1), zone) }
}

function dayStart(day: Day, zone: string): number {
  const midnight = Date.parse(`${day}T00:00:00Z`)
  const offsets = [zoneOffset(midnight - DAY / 2, zone), zoneOffset(midnight + DAY / 2, zone)]
  const candidates = offsets.map((offset) => midnight - offset).sort((a, b) => a - b)
  const start = candidates.find((at) => dayAt(at, zone) === day && dayAt(at - 1, zone) !== day)
  return start ?? (candidates[0] ?? midnight) + HOUR
}
