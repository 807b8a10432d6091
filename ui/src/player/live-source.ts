/** What brings live pictures to a `<video>`, whichever way they come. */
import type { Down } from './live-state'

export type Rendition = 'MAIN' | 'SUB'

/** Which pictures are wanted. */
export type LiveOrder = Readonly<{ camera: string; rendition: Rendition }>

export type Trouble =
  /** The coordinator said no, and would say so again. */
  | Readonly<{ is: 'refused'; error: unknown }>
  /** The camera's video cannot come this way, or cannot be shown by this browser. */
  | Readonly<{ is: 'codec' }>
  /** The coordinator answers, but pictures do not get through. */
  | Readonly<{ is: 'blocked' }>
  /** It worked, or nobody answers, or not now: to be tried again. */
  | Readonly<{ is: 'lost'; error?: unknown }>

export type LiveSourceEvents = Readonly<{
  /** Nothing more comes from a source that had trouble. */
  onTrouble: (trouble: Trouble) => void
  /** The camera gives no picture; the source stays open for the next. */
  onDown: (down: Down) => void
}>

/** What has been decoded since the source was opened. */
export type DecodeCounts = Readonly<{
  decoded: number
  dropped: number
  /** Time spent decoding, in ms; `undefined` where the browser does not tell. */
  decodeTime: number | undefined
  /** Received, in bytes; `undefined` where it is not counted. */
  bytes: number | undefined
}>

/** A picture on the screen, as the browser describes it. */
export type ShownFrame = Readonly<{ mediaTime: number; rtpTimestamp?: number | undefined }>

export type LiveSource = Readonly<{
  /** When the picture on the screen was taken, in ms of UTC; `near` is about now. */
  wallOf: (frame: ShownFrame, near: number) => number | undefined
  /** Of the newest picture, where the browser does not describe each. */
  newest: () => ShownFrame | undefined
  counts: () => Promise<DecodeCounts | undefined>
  close: () => void
}>

export type OpenLiveSource = (
  video: HTMLVideoElement,
  order: LiveOrder,
  events: LiveSourceEvents,
) => LiveSource
