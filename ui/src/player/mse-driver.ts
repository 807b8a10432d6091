/**
 * Live pictures as fragments of MP4 over a WebSocket, put together by Media Source Extensions: for
 * what WebRTC does not carry (H.265 in many browsers), and where only the web's own ports are open.
 * No React.
 *
 * The coordinator says `INIT` and sends the initialisation segment, then for each fragment says when
 * its first picture was taken and sends it. Fragments are put one behind the other, whatever was left
 * out between them, so that nothing waits for what will not come.
 */
import type { RefusedError } from '@/api/errors'
import { limitRefusal, viewRefusal } from './refusals'
import type {
  DecodeCounts,
  LiveOrder,
  LiveSource,
  LiveSourceEvents,
  OpenLiveSource,
  ShownFrame,
  Trouble,
} from './live-source'
import { WallMap } from './wall-map'

/** What the coordinator says between the bytes. */
type Said =
  | Readonly<{ type: 'INIT'; mime: string }>
  | Readonly<{ type: 'FRAGMENT'; wall: string; sync: boolean }>
  | Readonly<{
      type: 'DOWN'
      since?: string | null
      message_en?: string
      message_ar?: string
    }>

type Piece = Readonly<{ bytes: ArrayBuffer; mime?: string; wall?: number; sync: boolean }>

export type MseDeps = Readonly<{
  connect: (address: string) => WebSocket
  /** `undefined` where the browser has none of this. */
  createMediaSource: () => MediaSource | undefined
  plays: (mime: string) => boolean
  /** Why the camera may not be seen; `undefined` when it may, or when nobody answers. */
  viewRefusal: (order: LiveOrder) => Promise<RefusedError | undefined>
  /** Which limit is reached; `undefined` when none is any more, or when nobody answers. */
  limitRefusal: (order: LiveOrder) => Promise<RefusedError | undefined>
}>

/** How far behind the newest picture it plays, at least; in seconds. */
const BEHIND = 0.35
/** Further behind than this it jumps, unless fragments are longer. */
const MOST_BEHIND = 1.5
/** What has been shown is kept this long, and then thrown away. */
const KEPT = 4
/** More fragments than this waiting for the decoder are let go, up to the next key frame. */
const MOST_WAITING = 120

const SESSION_ENDED = 4401
const HIDDEN = 4404
const LIMIT_REACHED = 4429

export const mseAddress = ({ camera, rendition }: LiveOrder): string => {
  const origin = globalThis.location.origin.replace(/^http/, 'ws')
  return `${origin}/api/v1/cameras/${encodeURIComponent(camera)}/live?rendition=${rendition}`
}

type Manageable = typeof globalThis & { ManagedMediaSource?: typeof MediaSource }

const mediaSource = (): typeof MediaSource | undefined =>
  // Telephones of Apple have only the managed one.
  typeof MediaSource === 'undefined' ? (globalThis as Manageable).ManagedMediaSource : MediaSource

const REAL: MseDeps = {
  connect: (address) => new WebSocket(address),
  createMediaSource: () => {
    const Source = mediaSource()
    return Source && new Source()
  },
  plays: (mime) => mediaSource()?.isTypeSupported(mime) ?? false,
  viewRefusal,
  limitRefusal,
}

export const openMse: OpenLiveSource = (video, order, events) =>
  new MseSource(video, order, events, REAL)

export class MseSource implements LiveSource {
  readonly #video: HTMLVideoElement
  readonly #events: LiveSourceEvents
  readonly #deps: MseDeps
  readonly #order: LiveOrder
  readonly #media: MediaSource | undefined
  readonly #url: string | undefined
  #socket: WebSocket | undefined
  #buffer: SourceBuffer | undefined
  #mime: string | undefined
  #waiting: Piece[] = []
  /** Let go until the next key frame. */
  #skipping = false
  /** What was said of the bytes that come next. */
  #said: Exclude<Said, { type: 'DOWN' }> | undefined
  readonly #walls = new WallMap()
  /** Where the buffer ended before what was added last; in seconds. */
  #before = 0
  #bytes = 0
  #closed = false

  constructor(video: HTMLVideoElement, order: LiveOrder, events: LiveSourceEvents, deps: MseDeps) {
    this.#video = video
    this.#events = events
    this.#deps = deps
    this.#order = order
    this.#media = deps.createMediaSource()
    if (!this.#media) {
      queueMicrotask(() => this.#fail({ is: 'codec' }))
      return
    }
    this.#url = URL.createObjectURL(this.#media)
    this.#media.addEventListener('sourceopen', this.#onOpen, { once: true })
    // A managed source opens only for an element that cannot be sent elsewhere.
    video.disableRemotePlayback = true
    video.src = this.#url
    video.addEventListener('error', this.#onVideoError)
    this.#socket = deps.connect(mseAddress(order))
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('message', this.#onMessage)
    this.#socket.addEventListener('close', this.#onClose)
  }

  wallOf({ mediaTime }: ShownFrame): number | undefined {
    return this.#walls.at(mediaTime)
  }

  newest(): ShownFrame {
    return { mediaTime: this.#video.currentTime }
  }

  counts(): Promise<DecodeCounts | undefined> {
    if (this.#closed || !('getVideoPlaybackQuality' in this.#video))
      return Promise.resolve(undefined)
    const quality = this.#video.getVideoPlaybackQuality()
    return Promise.resolve({
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      decodeTime: undefined,
      bytes: this.#bytes,
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket?.close()
    this.#waiting = []
    this.#video.removeEventListener('error', this.#onVideoError)
    if (this.#video.src === this.#url) {
      this.#video.removeAttribute('src')
      this.#video.load()
    }
    if (this.#url) URL.revokeObjectURL(this.#url)
  }

  readonly #onMessage = ({ data }: MessageEvent<unknown>): void => {
    if (this.#closed) return
    if (data instanceof ArrayBuffer) this.#take(data)
    else if (typeof data === 'string') this.#hear(readSaid(data))
  }

  #hear(said: Said | undefined): void {
    if (said?.type === 'DOWN') {
      const { message_en: en, message_ar: ar, since } = said
      this.#events.onDown({
        since: since ? Date.parse(since) : undefined,
        sentences: en && ar ? { en, ar } : undefined,
      })
    } else if (said?.type === 'INIT' && !this.#deps.plays(said.mime)) {
      this.#fail({ is: 'codec' })
    } else {
      this.#said = said
    }
  }

  #take(bytes: ArrayBuffer): void {
    const said = this.#said
    this.#said = undefined
    this.#bytes += bytes.byteLength
    switch (said?.type) {
      case 'INIT':
        this.#waiting.push({ bytes, mime: said.mime, sync: true })
        break
      case 'FRAGMENT':
        if (!this.#mayWait(said.sync)) return
        this.#waiting.push({ bytes, wall: Date.parse(said.wall), sync: said.sync })
        break
      case undefined:
        // Bytes that nobody announced mean nothing.
        return
    }
    this.#append()
  }

  /** A decoder that does not keep up goes on with the newest key frame. */
  #mayWait(sync: boolean): boolean {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#waiting = this.#waiting.filter((piece) => piece.mime !== undefined)
      this.#skipping = true
    }
    if (sync) this.#skipping = false
    return !this.#skipping
  }

  #append(): void {
    if (this.#closed || this.#media?.readyState !== 'open' || this.#buffer?.updating) return
    if (this.#trim()) return
    const piece = this.#waiting.shift()
    if (!piece) return
    try {
      if (piece.mime !== undefined) this.#prepare(piece.mime)
      // Where it will be put: behind everything that is there.
      else if (piece.wall !== undefined) this.#walls.add(this.#end(), piece.wall)
      this.#buffer?.appendBuffer(piece.bytes)
    } catch {
      this.#fail({ is: 'lost' })
    }
  }

  #prepare(mime: string): void {
    if (!this.#buffer) {
      this.#buffer = this.#media?.addSourceBuffer(mime)
      if (this.#buffer) this.#buffer.mode = 'sequence'
      this.#buffer?.addEventListener('updateend', this.#onAppended)
    } else if (mime !== this.#mime) {
      this.#buffer.changeType(mime)
      this.#buffer.mode = 'sequence'
    }
    this.#mime = mime
  }

  readonly #onAppended = (): void => {
    if (this.#closed) return
    this.#stayNear()
    this.#append()
  }

  /** Near the newest picture, always: what is late is left out. */
  #stayNear(): void {
    const end = this.#end()
    const added = Math.max(0, end - this.#before)
    this.#before = end
    if (end - this.#video.currentTime > Math.max(MOST_BEHIND, 2 * added)) {
      this.#video.currentTime = Math.max(0, end - Math.max(BEHIND, added))
    }
    if (this.#video.paused && end > 0) this.#video.play().catch(() => undefined)
  }

  /** Whether something is being thrown away. */
  #trim(): boolean {
    const buffer = this.#buffer
    if (!buffer || buffer.buffered.length === 0) return false
    const until = this.#video.currentTime - KEPT
    if (buffer.buffered.start(0) > until - KEPT) return false
    buffer.remove(0, until)
    return true
  }

  #end(): number {
    const { buffered } = this.#buffer ?? {}
    return buffered && buffered.length > 0 ? buffered.end(buffered.length - 1) : 0
  }

  readonly #onOpen = (): void => this.#append()

  readonly #onVideoError = (): void => this.#fail({ is: 'lost' })

  readonly #onClose = ({ code }: CloseEvent): void => {
    const { viewRefusal: view, limitRefusal: limit } = this.#deps
    if (code === LIMIT_REACHED) void this.#explain(limit)
    else if (code === SESSION_ENDED || code === HIDDEN) void this.#explain(view)
    else this.#fail({ is: 'lost' })
  }

  /** A close has a number and no sentence; another question gives the refusal with its words. */
  async #explain(ask: MseDeps['viewRefusal']): Promise<void> {
    const error = await ask(this.#order)
    this.#fail(error ? { is: 'refused', error } : { is: 'lost' })
  }

  #fail(trouble: Trouble): void {
    if (this.#closed) return
    this.close()
    this.#events.onTrouble(trouble)
  }
}

const readSaid = (text: string): Said | undefined => readObject(text) as Said | undefined

function readObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
