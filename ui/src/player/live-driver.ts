/**
 * Live pictures of one camera in one rendition, in one `<video>`: chooses the way they come, tries
 * again after trouble, and knows how old the picture on the screen is. No React.
 */
import { FrameWatch } from './frame-watch'
import { LiveMachine, type LiveState } from './live-state'
import type {
  DecodeCounts,
  LiveOrder,
  LiveSource,
  OpenLiveSource,
  ShownFrame,
  Trouble,
} from './live-source'

export type LiveWay = 'WEBRTC' | 'FRAGMENTS'

/** Why it does not come by WebRTC. */
export type WayReason = 'codec' | 'blocked' | 'missing'

export type LiveSnapshot = Readonly<{
  state: LiveState
  way: LiveWay
  because: WayReason | undefined
}>

/** What was found out about the ways, for all pictures of the page. */
export type WayMemory = {
  /** Until when WebRTC need not be tried; by a clock that only goes forward. */
  blockedUntil: number
}

export type LiveDeps = Readonly<{
  /** `undefined` where the browser has no WebRTC. */
  openWebRtc: OpenLiveSource | undefined
  openFragments: OpenLiveSource
  memory: WayMemory
  /** In ms of UTC at the coordinator; `undefined` while not known. */
  wallNow: () => number | undefined
  /** Whether the coordinator believes that the camera has a picture. */
  expectsPictures: () => boolean
  /** From 0 to 1, so that not all come at once. */
  chance: () => number
}>

const TICK = 250
const RETRY_DELAYS = [300, 1_000, 2_000, 4_000, 8_000, 15_000]
/** A picture that stands still this long, of a camera that has pictures, is fetched anew; in ms. */
const RECONNECT_AFTER = 5_000
/** As long as nothing was shown, a first picture may take this long; in ms. */
const FIRST_PICTURE_PATIENCE = 10_000
/** Networks change; WebRTC gets another chance after this; in ms. */
const BLOCKED_FOR = 300_000

export class LiveDriver {
  readonly order: LiveOrder
  readonly #video: HTMLVideoElement
  readonly #deps: LiveDeps
  readonly #machine: LiveMachine
  readonly #frames: FrameWatch
  readonly #onChange: () => void
  readonly #ticker: ReturnType<typeof setInterval>
  #source: LiveSource | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #way: LiveWay
  #because: WayReason | undefined
  /** When the source was opened. */
  #openedAt = 0
  /** When the last picture came from it. */
  #pictureAt: number | undefined
  /** When the picture on the screen was taken. */
  #wall: number | undefined
  #closed = false

  constructor(video: HTMLVideoElement, order: LiveOrder, deps: LiveDeps, onChange: () => void) {
    this.order = order
    this.#video = video
    this.#deps = deps
    this.#onChange = onChange
    this.#machine = new LiveMachine(() => this.#tell())
    this.#because = this.#reasonAgainstWebRtc()
    this.#way = this.#because ? 'FRAGMENTS' : 'WEBRTC'
    this.#frames = new FrameWatch(video, (frame) => this.#onFrame(frame))
    this.#ticker = setInterval(() => this.#onTick(), TICK)
    this.#open()
  }

  get snapshot(): LiveSnapshot {
    return { state: this.#machine.state, way: this.#way, because: this.#because }
  }

  get hasPicture(): boolean {
    return this.#pictureAt !== undefined
  }

  /** How long ago the picture on the screen was taken, in ms. */
  get age(): number | undefined {
    return this.#machine.age(performance.now())
  }

  /** When the picture on the screen was taken, in ms of UTC. */
  get wall(): number | undefined {
    return this.#wall
  }

  counts(): Promise<DecodeCounts | undefined> {
    return this.#source?.counts() ?? Promise.resolve(undefined)
  }

  /** After a refusal, or because somebody is impatient. */
  retry(): void {
    if (!this.#closed) this.#open()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#ticker)
    clearTimeout(this.#retry)
    this.#frames.close()
    this.#source?.close()
    this.#source = undefined
  }

  #reasonAgainstWebRtc(): WayReason | undefined {
    if (!this.#deps.openWebRtc) return 'missing'
    return performance.now() < this.#deps.memory.blockedUntil ? 'blocked' : undefined
  }

  #open(): void {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#openedAt = performance.now()
    this.#pictureAt = undefined
    this.#send({ type: 'open' })
    const open =
      (this.#way === 'WEBRTC' ? this.#deps.openWebRtc : undefined) ?? this.#deps.openFragments
    const source: LiveSource = open(this.#video, this.order, {
      onTrouble: (trouble) => {
        if (this.#source === source && !this.#closed) this.#onTrouble(trouble)
      },
      onDown: (down) => {
        if (this.#source === source && !this.#closed) this.#send({ type: 'down', down })
      },
    })
    this.#source = source
  }

  #onTrouble(trouble: Trouble): void {
    this.#source = undefined
    switch (trouble.is) {
      case 'refused':
        this.#send({ type: 'refused', error: trouble.error })
        break
      case 'codec':
        if (this.#way === 'WEBRTC') this.#goBy('codec')
        else this.#send({ type: 'unplayable' })
        break
      case 'blocked':
        this.#deps.memory.blockedUntil = performance.now() + BLOCKED_FOR
        this.#goBy('blocked')
        break
      case 'lost':
        this.#tryAgain(trouble.error)
        break
    }
  }

  /** The other way, with the reason. */
  #goBy(because: WayReason): void {
    this.#way = 'FRAGMENTS'
    this.#because = because
    this.#open()
    this.#tell()
  }

  #tryAgain(error?: unknown): void {
    this.#source?.close()
    this.#source = undefined
    const delay = RETRY_DELAYS[Math.min(this.#machine.attempt, RETRY_DELAYS.length - 1)] ?? 0
    this.#send(error === undefined ? { type: 'lost' } : { type: 'lost', error })
    this.#retry = setTimeout(() => this.#open(), delay * (0.5 + this.#deps.chance()))
  }

  #onFrame(frame: ShownFrame): void {
    const source = this.#source
    if (!source) return
    const now = performance.now()
    const wallNow = this.#deps.wallNow()
    this.#wall = source.wallOf(frame, wallNow ?? Date.now())
    this.#pictureAt = now
    const age = this.#wall === undefined || wallNow === undefined ? undefined : wallNow - this.#wall
    this.#send({ type: 'picture', age })
  }

  #onTick(): void {
    this.#frames.poll(this.#source?.newest())
    this.#send({ type: 'tick' })
    if (!this.#source || !this.#deps.expectsPictures()) return
    const now = performance.now()
    const silent =
      this.#pictureAt === undefined
        ? now - this.#openedAt > FIRST_PICTURE_PATIENCE
        : now - this.#pictureAt > RECONNECT_AFTER
    if (silent) this.#tryAgain()
  }

  #send(event: Parameters<LiveMachine['send']>[0]): void {
    this.#machine.send(event, performance.now())
  }

  #tell(): void {
    if (!this.#closed) this.#onChange()
  }
}
