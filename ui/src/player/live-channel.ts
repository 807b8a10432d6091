/**
 * What one place on the screen shows live: a camera, in the rendition that is wanted now. Goes from
 * one rendition to another when the other's first picture is there, and shows a still where moving
 * pictures are more than the computer can do. No React.
 */
import type { LiveDriver, LiveSnapshot, LiveWay, WayReason } from './live-driver'
import type { LiveState } from './live-state'
import type { DecodeCounts, LiveOrder, Rendition } from './live-source'
import type { VideoPool } from './video-pool'

/** `still` asks for one picture now and then. */
export type ChannelOrder = LiveOrder & Readonly<{ still: boolean }>

export type ChannelState = LiveState | Readonly<{ is: 'still' }>

export type ChannelSnapshot = Readonly<{
  state: ChannelState
  way: LiveWay
  because: WayReason | undefined
  /** What is on the screen, which may not be what was asked for last. */
  rendition: Rendition | undefined
  /** Why what is wanted is not what is shown. */
  refusal: unknown
}>

export type MakeDriver = (
  video: HTMLVideoElement,
  order: LiveOrder,
  /** Whether the camera is believed to have pictures. */
  expectsPictures: () => boolean,
  onChange: () => void,
) => LiveDriver

export type ChannelDeps = Readonly<{ makeDriver: MakeDriver; pool: VideoPool }>

/** How often a still is taken; in ms. */
export const STILL_EVERY = 10_000
/** A rendition that was refused is asked for again after this; in ms. */
const ASK_AGAIN_AFTER = 30_000
/** Pixels across a still: it is for small tiles. */
const STILL_SIZE = 480

type Running = Readonly<{ driver: LiveDriver; video: HTMLVideoElement; order: LiveOrder }>

type Still = Readonly<{
  canvas: HTMLCanvasElement
  /** Its age when it was taken, and when that was by a clock that only goes forward. */
  age: number
  at: number
  wall: number | undefined
}>

const IDLE: ChannelSnapshot = {
  state: { is: 'idle' },
  way: 'WEBRTC',
  because: undefined,
  rendition: undefined,
  refusal: undefined,
}

export class LiveChannel {
  readonly #deps: ChannelDeps
  readonly #listeners = new Set<() => void>()
  #place: HTMLElement | undefined
  #wanted: ChannelOrder | undefined
  #current: Running | undefined
  /** What is to follow as soon as it has a picture. */
  #incoming: Running | undefined
  #still: Still | undefined
  #stillTimer: ReturnType<typeof setTimeout> | undefined
  #askTimer: ReturnType<typeof setTimeout> | undefined
  #refusal: unknown
  #muted = true
  #expectsPictures = true
  #snapshot = IDLE

  constructor(deps: ChannelDeps) {
    this.#deps = deps
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly snapshot = (): ChannelSnapshot => this.#snapshot

  /** How long ago the picture on the screen was taken, in ms. */
  get age(): number | undefined {
    if (this.#still) return this.#still.age + performance.now() - this.#still.at
    return this.#current?.driver.age
  }

  /** When the picture on the screen was taken, in ms of UTC. */
  get wall(): number | undefined {
    return this.#still ? this.#still.wall : this.#current?.driver.wall
  }

  counts(): Promise<DecodeCounts | undefined> {
    return this.#current?.driver.counts() ?? Promise.resolve(undefined)
  }

  /** Where the pictures go. */
  attach(place: HTMLElement): () => void {
    this.#place = place
    for (const { video } of [this.#current, this.#incoming].filter((one) => one !== undefined)) {
      place.append(video)
    }
    if (this.#still) place.append(this.#still.canvas)
    return () => {
      this.#place = undefined
    }
  }

  /** What is wanted from now on; nothing for `undefined`. */
  want(order: ChannelOrder | undefined): void {
    if (sameOrder(order, this.#wanted)) return
    const before = this.#wanted
    this.#wanted = order
    this.#forgetRefusal()
    if (!order || order.camera !== before?.camera) this.#clear()
    if (!order) this.#tell()
    else if (order.still) this.#goStill()
    else this.#goMoving(order)
  }

  /** Whether the camera is believed to have pictures; one that has none is not asked again and again. */
  expect(pictures: boolean): void {
    this.#expectsPictures = pictures
  }

  setMuted(muted: boolean): void {
    this.#muted = muted
    if (this.#current) this.#current.video.muted = muted
  }

  retry(): void {
    this.#forgetRefusal()
    if (this.#current) this.#current.driver.retry()
    else if (this.#wanted) this.#goMoving(this.#wanted)
  }

  #goMoving(order: LiveOrder): void {
    clearTimeout(this.#stillTimer)
    if (this.#incoming && !sameLive(this.#incoming.order, order)) this.#stop('incoming')
    if (this.#current && sameLive(this.#current.order, order)) {
      this.#stop('incoming')
    } else if (!this.#incoming) {
      const replaces = this.#current?.driver.hasPicture ?? false
      if (!replaces) this.#stop('current')
      if (replaces) this.#incoming = this.#start(order)
      else this.#current = this.#start(order)
    }
    this.#tell()
  }

  /** Takes a picture of what runs, or of what is opened for it, and closes that. */
  #goStill(): void {
    clearTimeout(this.#stillTimer)
    this.#stop('incoming')
    if (this.#current?.driver.hasPicture) this.#takeStill(this.#current)
    else if (!this.#current && this.#wanted) this.#current = this.#start(this.#wanted)
    this.#tell()
  }

  #takeStill({ driver, video }: Running): void {
    const canvas = pictureOf(video)
    if (!canvas) return
    this.#dropStill()
    this.#still = { canvas, age: driver.age ?? 0, at: performance.now(), wall: driver.wall }
    this.#place?.append(canvas)
    this.#stop('current')
    this.#stillTimer = setTimeout(() => this.#goStill(), STILL_EVERY)
  }

  #start(order: LiveOrder): Running {
    const video = this.#deps.pool.take()
    this.#place?.append(video)
    const { camera, rendition } = order
    const driver = this.#deps.makeDriver(
      video,
      { camera, rendition },
      () => this.#expectsPictures,
      () => this.#onChange(video),
    )
    return { driver, video, order }
  }

  /** Of whatever plays there; a driver may have something to say before it is known. */
  #onChange(video: HTMLVideoElement): void {
    const running = [this.#incoming, this.#current].find((one) => one?.video === video)
    if (!running) return
    const { is } = running.driver.snapshot.state
    if (running === this.#incoming) {
      if (is === 'playing') this.#swap()
      else if (is === 'refused' || is === 'unplayable') this.#refuse(running)
    } else if (is === 'playing') {
      if (this.#wanted?.still) this.#takeStill(running)
      else this.#dropStill()
      running.video.muted = this.#muted
    }
    this.#tell()
  }

  #swap(): void {
    this.#stop('current')
    this.#dropStill()
    this.#current = this.#incoming
    this.#incoming = undefined
    this.setMuted(this.#muted)
  }

  /** What is shown stays; what was wanted is asked for again later. */
  #refuse({ driver }: Running): void {
    const { state } = driver.snapshot
    this.#refusal = state.is === 'refused' ? state.error : undefined
    this.#stop('incoming')
    this.#askTimer = setTimeout(() => {
      this.#forgetRefusal()
      if (this.#wanted && !this.#wanted.still) this.#goMoving(this.#wanted)
    }, ASK_AGAIN_AFTER)
  }

  #forgetRefusal(): void {
    clearTimeout(this.#askTimer)
    this.#refusal = undefined
  }

  #clear(): void {
    clearTimeout(this.#stillTimer)
    this.#forgetRefusal()
    this.#stop('incoming')
    this.#stop('current')
    this.#dropStill()
  }

  #stop(which: 'current' | 'incoming'): void {
    const running = which === 'current' ? this.#current : this.#incoming
    if (!running) return
    if (which === 'current') this.#current = undefined
    else this.#incoming = undefined
    running.driver.close()
    this.#deps.pool.give(running.video)
  }

  #dropStill(): void {
    this.#still?.canvas.remove()
    this.#still = undefined
  }

  #tell(): void {
    this.#snapshot = this.#look()
    for (const listener of this.#listeners) listener()
  }

  #look(): ChannelSnapshot {
    const inner: LiveSnapshot | undefined = this.#current?.driver.snapshot
    const troubled = inner?.state.is === 'refused' || inner?.state.is === 'unplayable'
    return {
      state: this.#still && !troubled ? { is: 'still' } : (inner?.state ?? IDLE.state),
      way: inner?.way ?? this.#snapshot.way,
      because: inner ? inner.because : this.#snapshot.because,
      rendition: this.#current?.order.rendition ?? (this.#still && this.#wanted?.rendition),
      refusal: this.#refusal,
    }
  }
}

const sameLive = (one: LiveOrder, other: LiveOrder): boolean =>
  one.camera === other.camera && one.rendition === other.rendition

const sameOrder = (one: ChannelOrder | undefined, other: ChannelOrder | undefined): boolean =>
  one === other || (!!one && !!other && sameLive(one, other) && one.still === other.still)

function pictureOf(video: HTMLVideoElement): HTMLCanvasElement | undefined {
  if (!video.videoWidth) return undefined
  const canvas = document.createElement('canvas')
  canvas.width = Math.min(STILL_SIZE, video.videoWidth)
  canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth)
  canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height)
  return canvas
}
