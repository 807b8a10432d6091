/** How far back the strips of a list look. Pure. */
import type { MessageId } from '@/i18n/messages'
import { DAY, HOUR, MINUTE } from '@/time/range'

export type StripWindow = Readonly<{ length: number; label: MessageId }>

const WINDOWS: readonly StripWindow[] = [
  { length: 10 * MINUTE, label: 'timeline.window.tenMinutes' },
  { length: HOUR, label: 'timeline.window.hour' },
  { length: 6 * HOUR, label: 'timeline.window.sixHours' },
]
const LONGEST: StripWindow = { length: DAY, label: 'timeline.window.day' }

/** A day; less while the oldest of what is listed is younger than that. */
export function stripWindow(oldest: number, now: number): StripWindow {
  return WINDOWS.find((window) => now - oldest <= window.length) ?? LONGEST
}
