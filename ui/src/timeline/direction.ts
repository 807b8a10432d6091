import type { Direction } from '@/i18n/direction'

/**
 * Time runs from left to right in both languages, as it does in the player's scrub bar and on every
 * recorder an operator has used (`design/ui.md`). Everything around the timeline turns with the page.
 */
export const TIMELINE_DIRECTION: Direction = 'ltr'
