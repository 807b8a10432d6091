import { classNames } from './class-names'
import styles from './Icon.module.css'

/** Strokes on a 16 × 16 grid. */
const PATHS = {
  agent: 'M2.5 3.5h11v4h-11zM2.5 8.5h11v4h-11zM5 5.5h.01M5 10.5h.01M8.5 5.5h2.5M8.5 10.5h2.5',
  alert: 'M8 2.2 14.5 13.5h-13zM8 6.6v3.2M8 11.8h.01',
  arrowBack: 'M13 8H3.5M7.5 4 3.5 8l4 4',
  camera: 'M1.8 5h7.6v6.5H1.8zM9.4 7.2l4.8-2v6l-4.8-2',
  chevronBack: 'M10 3.5 5.5 8l4.5 4.5',
  chevronForward: 'm6 3.5 4.5 4.5L6 12.5',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  clock: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.8V8l2.2 1.6',
  close: 'm4 4 8 8M12 4l-8 8',
  copy: 'M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1',
  cross: 'm4.5 4.5 7 7M11.5 4.5l-7 7',
  disk: 'M2.5 4.2c0-1 2.5-1.8 5.5-1.8s5.5.8 5.5 1.8v7.6c0 1-2.5 1.8-5.5 1.8s-5.5-.8-5.5-1.8zM2.5 4.2C2.5 5.2 5 6 8 6s5.5-.8 5.5-1.8M2.5 8c0 1 2.5 1.8 5.5 1.8s5.5-.8 5.5-1.8',
  expand: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  forward: 'M2.5 3.5 8 8l-5.5 4.5zM8 3.5 13.5 8 8 12.5z',
  gear: 'M8 5.6a2.4 2.4 0 1 1 0 4.8 2.4 2.4 0 0 1 0-4.8M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4',
  globe: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M2 8h12M8 2c-4 3.6-4 8.4 0 12 4-3.6 4-8.4 0-12',
  host: 'M2 3.2h12v7.4H2zM8 10.6v2.8M5 13.4h6',
  minus: 'M3.5 8h9',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6',
  network:
    'M1.8 6.4a9 9 0 0 1 12.4 0M4 9a5.8 5.8 0 0 1 8 0M6.2 11.4a2.6 2.6 0 0 1 3.6 0M8 13.4h.01',
  next: 'm3.5 3.5 5 4.5-5 4.5zM11.5 3.5v9',
  operator:
    'M8 2.5a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2M2.8 13.5c.4-2.8 2.4-4.2 5.2-4.2s4.8 1.4 5.2 4.2',
  pause: 'M5 3.5v9M11 3.5v9',
  people:
    'M6 2.8a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6M1.6 13.2c.3-2.5 2-3.8 4.4-3.8s4.1 1.3 4.4 3.8M10.6 3a2.1 2.1 0 0 1 0 4.2M12 9.8c1.4.5 2.2 1.7 2.4 3.4',
  play: 'M4.5 3v10l8-5z',
  plus: 'M8 3.5v9M3.5 8h9',
  policy: 'M2.5 4h11v9.5h-11zM2.5 7h11M5.5 2v3M10.5 2v3',
  previous: 'm12.5 3.5-5 4.5 5 4.5zM4.5 3.5v9',
  folder: 'M1.8 4h4.4l1.4 1.8h6.6v7H1.8z',
  shrink: 'M6 2.5V6H2.5M13.5 6H10V2.5M10 13.5V10h3.5M2.5 10H6v3.5',
  still: 'M2 4.5h3l1.2-1.8h3.6L11 4.5h3v8H2zM8 6.2a2.3 2.3 0 1 1 0 4.6 2.3 2.3 0 0 1 0-4.6',
  trash: 'M3 4.5h10M6 4.5v-2h4v2M4.2 4.5l.6 9h6.4l.6-9M6.8 7v4M9.2 7v4',
  wall: 'M1.8 3h5.4v4.4H1.8zM8.8 3h5.4v4.4H8.8zM1.8 8.6h5.4V13H1.8zM8.8 8.6h5.4V13H8.8z',
  question: 'M5.8 6.1A2.2 2.2 0 1 1 8 8.4v1.4M8 12.2h.01',
  restart: 'M13 8a5 5 0 1 1-1.6-3.7M13.2 1.9v3H10',
  rewind: 'M13.5 3.5 8 8l5.5 4.5zM8 3.5 2.5 8 8 12.5z',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M10.4 10.4l3.4 3.4',
  signOut: 'M6.5 2.5h-4v11h4M6.5 8H14M11 5l3 3-3 3',
  site: 'M8 1.8c2.6 0 4.6 1.9 4.6 4.5 0 3.2-4.6 7.9-4.6 7.9S3.4 9.5 3.4 6.3C3.4 3.7 5.4 1.8 8 1.8M8 4.7a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2',
  sound:
    'M2.2 6.2v3.6h2.5L8 12.6V3.4L4.7 6.2zM10.6 5.6a3.4 3.4 0 0 1 0 4.8M12.4 3.6a6.2 6.2 0 0 1 0 8.8',
  soundOff: 'M2.2 6.2v3.6h2.5L8 12.6V3.4L4.7 6.2zM10.8 6.2l3.4 3.6M14.2 6.2l-3.4 3.6',
  square: 'M4.2 4.2h7.6v7.6H4.2z',
  stepBack: 'M4 4v8M12 4 6.8 8l5.2 4',
  stepForward: 'M12 4v8M4 4l5.2 4L4 12',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.6v1.2M8 13.2v1.2M1.6 8h1.2M13.2 8h1.2M3.5 3.5l.8.8M11.7 11.7l.8.8M12.5 3.5l-.8.8M4.3 11.7l-.8.8',
  unlink:
    'M6.6 9.4 4.9 11a2.3 2.3 0 0 1-3.2-3.3l1.9-1.9M9.4 6.6 11.1 5a2.3 2.3 0 0 1 3.2 3.3l-1.9 1.9M5.4 2.6v1.8M2.6 4.4h1.2M10.6 13.4v-1.8M13.4 11.6h-1.2',
  download: 'M8 2.8v7.5M4.8 7.2 8 10.5l3.2-3.3M2.5 10.5v3h11v-3',
  upload: 'M8 10.5V3M4.8 6 8 2.8 11.2 6M2.5 10.5v3h11v-3',
} as const

export type IconName = keyof typeof PATHS | 'dot'

/** These point along the text and turn with it. */
const TURNS: ReadonlySet<IconName> = new Set([
  'arrowBack',
  'chevronBack',
  'chevronForward',
  'signOut',
])
const SOLID: ReadonlySet<IconName> = new Set(['forward', 'next', 'play', 'previous', 'rewind'])

type Props = Readonly<{ name: IconName; size?: number }>

/** Decoration: what it means is said in text beside it or in its button's label. */
export function Icon({ name, size = 16 }: Props) {
  return (
    <svg
      className={classNames(
        styles.icon,
        TURNS.has(name) && styles.turns,
        SOLID.has(name) && styles.solid,
      )}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      {name === 'dot' ? (
        <circle className={styles.filled} cx="8" cy="8" r="4.2" />
      ) : (
        <path d={PATHS[name]} />
      )}
    </svg>
  )
}
