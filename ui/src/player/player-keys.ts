import type { KeyboardEvent } from 'react'

export type PlayerCommand =
  | Readonly<{ do: 'toggle' | 'mute' | 'fullScreen' | 'live' }>
  | Readonly<{ do: 'skip'; seconds: number }>
  | Readonly<{ do: 'step'; pictures: number }>

/** What a key means while the picture has the focus. Directions are physical, as the player is. */
export function commandFor({ key }: Pick<KeyboardEvent, 'key'>): PlayerCommand | undefined {
  switch (key) {
    case ' ':
    case 'k':
      return { do: 'toggle' }
    case 'ArrowLeft':
    case 'j':
      return { do: 'skip', seconds: -10 }
    case 'ArrowRight':
    case 'l':
      return { do: 'skip', seconds: 10 }
    case ',':
      return { do: 'step', pictures: -1 }
    case '.':
      return { do: 'step', pictures: 1 }
    case 'm':
      return { do: 'mute' }
    case 'f':
      return { do: 'fullScreen' }
    case 'e':
      return { do: 'live' }
    default:
      return undefined
  }
}
