import type { KeyboardEvent } from 'react'
import type { Arrow } from './grid'

export type WallCommand =
  | Readonly<{ do: 'go'; arrow: Arrow }>
  | Readonly<{ do: 'first' | 'last' | 'enter' | 'lift' | 'remove' | 'back' }>
  | Readonly<{ do: 'sound' | 'fullScreen' | 'large' }>

/** What a key means on a tile. Arrows lead where they point, as the tiles are seen. */
export function commandFor({ key }: Pick<KeyboardEvent, 'key'>): WallCommand | undefined {
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowRight':
    case 'ArrowUp':
    case 'ArrowDown':
      return { do: 'go', arrow: key }
    case 'Home':
      return { do: 'first' }
    case 'End':
      return { do: 'last' }
    case 'Enter':
      return { do: 'enter' }
    case ' ':
      return { do: 'lift' }
    case 'Delete':
    case 'Backspace':
      return { do: 'remove' }
    case 'Escape':
      return { do: 'back' }
    case 'm':
      return { do: 'sound' }
    case 'f':
      return { do: 'fullScreen' }
    case 'h':
      return { do: 'large' }
    default:
      return undefined
  }
}
