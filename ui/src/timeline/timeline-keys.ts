import type { KeyboardEvent } from 'react'

export type TimelineCommand =
  | Readonly<{ do: 'move'; steps: number }>
  | Readonly<{ do: 'start' | 'end' }>
  | Readonly<{ do: 'zoom'; factor: number }>
  | Readonly<{ do: 'all' }>
  | Readonly<{ do: 'loss'; way: 'forward' | 'back' }>

const PAGE = 10

/**
 * What a key means on the timeline. Arrows are physical, as the lane is: right is later in both
 * languages.
 */
export function commandFor({
  key,
  shiftKey,
}: Pick<KeyboardEvent, 'key' | 'shiftKey'>): TimelineCommand | undefined {
  const steps = shiftKey ? PAGE : 1
  switch (key) {
    case 'ArrowRight':
    case 'ArrowUp':
      return { do: 'move', steps }
    case 'ArrowLeft':
    case 'ArrowDown':
      return { do: 'move', steps: -steps }
    case 'PageUp':
      return { do: 'move', steps: PAGE }
    case 'PageDown':
      return { do: 'move', steps: -PAGE }
    case 'Home':
      return { do: 'start' }
    case 'End':
      return { do: 'end' }
    case '+':
    case '=':
      return { do: 'zoom', factor: 0.5 }
    case '-':
    case '_':
      return { do: 'zoom', factor: 2 }
    case '0':
      return { do: 'all' }
    case ']':
      return { do: 'loss', way: 'forward' }
    case '[':
      return { do: 'loss', way: 'back' }
    default:
      return undefined
  }
}
