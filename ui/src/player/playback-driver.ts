/**
 * Plays recorded footage by wall time: asks for a playlist around the instant wanted, starts the
 * source there, goes on to the next stretch when one ends, steps over gaps and says so, follows the
 * present on request, and comes back after trouble. No React.
 */
import { RefusedError } from '@/api/errors'
import type { TimeRange } from '@/time/range'
import type { OpenSource, Source, Trouble } from './hls-source'
import { PictureWatch } from './picture-watch'
import { PlaybackClock, type PlaylistPiece } from './playback-clock'
import { isAtLiveEdge, windowFor } from './playback-window'
import { PlayerMachine, type FailReason, type PlayerState } from './player-state'

export type Target = Readonly<{ live: true }> | Readonly<{ live: false; at: number }>

/** From where to where a gap was stepped over, in ms of UTC. */
export type Jump = Readonly<{ from: number; to: number }>

export type PlayerSnapshot = Readonly<{
  state: PlayerState
  wantsToPlay: boolean
  /** Following the present. */
  live: boolean
  /** The instant being gone to, until its picture is shown. */
  goingTo: number | undefined
  rate: number
  /** The last gap stepped over in this playback. */
  jump: Jump | undefined
}>

export type Prepare = (order: TimeRange | 'live') => Promise<Readonly<{ playlist_url: string }>>

export type PlaybackDeps = Readonly<{
  prepare: Prepare
  openSource: OpenSource
  /** Where footage is at or next after an instant, as far as is known. */
  nextFootage: (at: number) => number | undefined
  /** Milliseconds of UTC. */
  now: () => number
}>

export const RATES = [0.5, 1, 2, 4, 8] as const
/** Wall time that passes between two pictures without anyone noticing; in ms. */
const SEAMLESS = 1_500
const RETRY_DELAYS = [1_000, 2_000, 4_000, 8_000, 10_000]
const TICK = 250
/** After this many stretches without footage there is none worth looking for. */
const MOST_EMPTIES = 3
/** A picture that stalls this long is fetched anew; in ms. */
const RECONNECT_AFTER = 6_000
/** In seconds, until two pictures have been seen. */
const USUAL_FRAME = 0.04
/** How many distances between pictures are remembered. */
const FRAMES = 9
/** How often a step that found the same picture again reaches further. */
const MOST_REACHES = 12

/** A step on its way: the picture that it leads away from, and how often it was tried. */
type Step = Readonly<{ from: number; pictures: number; reaches: number }>

export class PlaybackDriver {
  readonly #video: HTMLVideoElement
  readonly #deps: PlaybackDeps
  readonly #machine: PlayerMachine
  readonly #pictures: PictureWatch
  readonly #listeners = new Set<() => void>()
  readonly #pictureListeners = new Set<() => void>()
  #source: Source | undefined
  #clock = new PlaybackClock([])
  #target: Target = { live: true }
  /** The stretch of the open playlist; `undefined` while live or closed. */
  #window: TimeRange | undefined
  /** Counts what was opened, so that answers to an older question are not heard. */
  #opened = 0
  #started = false
  #retries = 0
  #recovered = false
  /** How many stretches in a row had nothing to play. */
  #empties = 0
  #rate = 1
  #jump: Jump | undefined
  #goingTo: number | undefined
  #picture: number | undefined
  /** Recent distances between pictures, in seconds; a picture left out makes one of them too long. */
  readonly #frames: number[] = []
  #step: Step | undefined
  #lastMedia: number | undefined
  #ticker: ReturnType<typeof setInterval> | undefined
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #snapshot: PlayerSnapshot

  constructor(video: HTMLVideoElement, deps: PlaybackDeps) {
    this.#video = video
    this.#deps = deps
    this.#machine = new PlayerMachine(() => this.#tell())
    this.#snapshot = this.#look()
    video.addEventListener('waiting', this.#onWaiting)
    video.addEventListener('ended', this.#onEnded)
    this.#pictures = new PictureWatch(video, (media) => this.#onPicture(media))
    this.#ticker = setInterval(this.#onTick, TICK)
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly snapshot = (): PlayerSnapshot => this.#snapshot

  /** For what changes with every picture. */
  readonly subscribePicture = (listener: () => void): (() => void) => {
    this.#pictureListeners.add(listener)
    return () => this.#pictureListeners.delete(listener)
  }

  /** When the shown picture was taken, in ms of UTC. */
  readonly picture = (): number | undefined => this.#picture

  /** Follows the present. */
  goLive(): void {
    this.#jump = undefined
    this.#retries = 0
    this.setRate(1)
    this.play()
    this.#open({ live: true })
  }

  /** Shows an instant, or where footage next begins after it. */
  seek(at: number): void {
    const shown = this.#deps.nextFootage(at) ?? at
    this.#noteJump(at, shown)
    this.#retries = 0
    this.#empties = 0
    const loaded = this.#target.live || !this.#started ? undefined : this.#clock.mediaAt(shown)
    const inside = this.#window && shown >= this.#window.from && shown < this.#window.to
    if (loaded && inside && this.#machine.state.is !== 'failed') {
      if (loaded.wall !== shown) this.#noteJump(at, loaded.wall)
      this.#target = { live: false, at: loaded.wall }
      this.#goingTo = loaded.wall
      this.#lastMedia = undefined
      this.#pictures.forget()
      this.#video.currentTime = loaded.media
      if (this.#machine.state.is === 'ended') {
        this.#send({ type: 'play' })
        this.#startVideo()
      }
      this.#tell()
      return
    }
    this.#open({ live: false, at: shown })
  }

  play(): void {
    const atEnd = this.#machine.state.is === 'ended'
    this.#step = undefined
    this.#send({ type: 'play' })
    if (atEnd) this.#open(this.#target)
    else if (this.#started) this.#startVideo()
  }

  pause(): void {
    this.#send({ type: 'pause' })
    this.#video.pause()
  }

  toggle(): void {
    if (this.#machine.wantsToPlay && this.#machine.state.is !== 'ended') this.pause()
    else if (this.#target.live && this.#machine.state.is === 'paused') this.goLive()
    else this.play()
  }

  setRate(rate: number): void {
    this.#rate = rate
    this.#video.defaultPlaybackRate = rate
    this.#video.playbackRate = rate
    this.#tell()
  }

  /** Moves by whole pictures and stands still there. */
  step(pictures: number): void {
    this.pause()
    this.#reach({ from: this.#lastMedia ?? this.#video.currentTime, pictures, reaches: 0 })
  }

  /** Further with every try, as what is known of the distance between pictures may be too short. */
  #reach(step: Step): void {
    this.#step = step
    const tries = Math.sign(step.pictures) * step.reaches
    // Aim at the middle of a picture: its exact begin may belong to either neighbour.
    const media = step.from + (step.pictures + tries + 0.5) * this.#frame()
    this.#video.currentTime = Math.max(0, media)
  }

  /** A step that came to the picture it started from has not been one. */
  #reachFurther(): void {
    const step = this.#step
    if (!step || this.#video.seeking) return
    if (this.#lastMedia !== step.from || step.reaches >= MOST_REACHES) this.#step = undefined
    else this.#reach({ ...step, reaches: step.reaches + 1 })
  }

  /** After a failure: the same once more. */
  retry(): void {
    this.#retries = 0
    this.#open(this.#resumeTarget())
  }

  close(): void {
    this.#opened++
    clearInterval(this.#ticker)
    this.#closeSource()
    this.#video.removeEventListener('waiting', this.#onWaiting)
    this.#video.removeEventListener('ended', this.#onEnded)
    this.#pictures.close()
    this.#send({ type: 'close' })
    this.#listeners.clear()
    this.#pictureListeners.clear()
  }

  #open(target: Target): void {
    const opened = ++this.#opened
    this.#closeSource()
    this.#target = target
    this.#goingTo = target.live ? undefined : target.at
    this.#window = target.live ? undefined : windowFor(target.at, this.#deps.now())
    this.#recovered = false
    this.#send({ type: 'open' })
    this.#tell()
    this.#deps.prepare(this.#window ?? 'live').then(
      ({ playlist_url }) => {
        if (opened === this.#opened) this.#connect(opened, playlist_url)
      },
      (error: unknown) => {
        if (opened === this.#opened) this.#prepareFailed(error)
      },
    )
  }

  #connect(opened: number, playlist: string): void {
    const current = () => opened === this.#opened
    this.#source = this.#deps.openSource(this.#video, playlist, {
      onPlaylist: (pieces) => {
        if (current()) this.#onPlaylist(pieces)
      },
      onTrouble: (trouble) => {
        if (current()) this.#onTrouble(trouble)
      },
    })
  }

  #onPlaylist(pieces: readonly PlaylistPiece[]): void {
    this.#clock = new PlaybackClock(pieces)
    if (this.#started) return
    if (this.#clock.isEmpty) {
      this.#nothingHere()
      return
    }
    const start = this.#target.live ? undefined : this.#clock.mediaAt(this.#target.at)
    if (!this.#target.live && !start) {
      this.#goOn(this.#clock.end ?? this.#target.at)
      return
    }
    if (start && !this.#target.live) this.#noteJump(this.#target.at, start.wall)
    this.#started = true
    this.#send({ type: 'ready' })
    this.#source?.start(start?.media)
    this.#video.defaultPlaybackRate = this.#rate
    this.#video.playbackRate = this.#rate
    if (this.#machine.wantsToPlay) this.#startVideo()
  }

  #startVideo(): void {
    this.#video.play().catch((error: unknown) => {
      // Refused until the person touches the page; a change of source is no refusal.
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        this.#send({ type: 'pause' })
      }
    })
  }

  /** The playlist lists nothing: the present has not begun, or the stretch has no footage. */
  #nothingHere(): void {
    if (this.#target.live) {
      this.#closeSource()
      this.#retryLater('no_footage', undefined)
    } else if (this.#window && ++this.#empties < MOST_EMPTIES) {
      this.#goOn(this.#window.to)
    } else {
      this.#nothingFollows()
    }
  }

  /** A stretch has been played: on to the footage that follows, or to the present. */
  #goOn(from: number): void {
    const now = this.#deps.now()
    const next = this.#deps.nextFootage(from)
    if (next !== undefined && next < now && !isAtLiveEdge(next, now)) {
      this.#noteJump(from, next)
      this.#open({ live: false, at: next })
    } else if (isAtLiveEdge(from, now) || (next !== undefined && isAtLiveEdge(next, now))) {
      this.setRate(1)
      this.#open({ live: true })
    } else {
      this.#nothingFollows()
    }
  }

  #nothingFollows(): void {
    if (this.#started) {
      this.#send({ type: 'finished' })
      return
    }
    this.#closeSource()
    this.#send({ type: 'failed', reason: 'no_footage' })
  }

  #prepareFailed(error: unknown): void {
    if (error instanceof RefusedError && error.status < 500) {
      this.#send({ type: 'failed', reason: 'refused', error })
    } else {
      this.#retryLater(error instanceof RefusedError ? 'refused' : 'unreachable', error)
    }
  }

  #onTrouble(trouble: Trouble): void {
    switch (trouble.kind) {
      case 'codec':
        this.#closeSource()
        this.#send({ type: 'failed', reason: 'codec' })
        return
      case 'media':
        if (!this.#recovered) {
          this.#recovered = true
          this.#source?.recover()
          return
        }
        this.#closeSource()
        this.#send({ type: 'failed', reason: 'media' })
        return
      case 'network':
        this.#retryLater('unreachable', undefined)
    }
  }

  /** Again from the picture last shown: live for as long as it takes, else a few times. */
  #retryLater(reason: FailReason, error: unknown): void {
    const target = this.#resumeTarget()
    const delay = RETRY_DELAYS[Math.min(this.#retries, RETRY_DELAYS.length - 1)]
    if (!target.live && this.#retries >= RETRY_DELAYS.length) {
      this.#closeSource()
      this.#send({ type: 'failed', reason, error })
      return
    }
    this.#retries++
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => this.#open(target), delay)
    this.#send({ type: 'failed', reason, error })
  }

  #resumeTarget(): Target {
    if (this.#target.live) return this.#target
    return { live: false, at: this.#goingTo ?? this.#picture ?? this.#target.at }
  }

  #closeSource(): void {
    clearTimeout(this.#retryTimer)
    this.#source?.close()
    this.#source = undefined
    this.#started = false
    this.#lastMedia = undefined
    this.#pictures.forget()
    this.#clock = new PlaybackClock([])
    // What was shown is gone from the screen.
    this.#picture = undefined
    this.#tellPicture()
  }

  #onPicture(media: number): void {
    const wall = this.#clock.wallAt(media)
    if (!this.#started || wall === undefined) return
    this.#measureFrame(media)
    if (
      this.#goingTo === undefined &&
      this.#picture !== undefined &&
      this.#lastMedia !== undefined
    ) {
      this.#noteCrossing(this.#picture, wall, media - this.#lastMedia)
    }
    this.#lastMedia = media
    this.#picture = wall
    this.#goingTo = undefined
    this.#retries = 0
    this.#empties = 0
    this.#send({ type: 'picture' })
    this.#tell()
    this.#tellPicture()
  }

  #measureFrame(media: number): void {
    const passed = media - (this.#lastMedia ?? media)
    if (passed <= 0.005 || passed >= 0.25 || this.#rate > 1) return
    this.#frames.push(passed)
    if (this.#frames.length > FRAMES) this.#frames.shift()
  }

  #frame(): number {
    const sorted = [...this.#frames].sort((one, other) => one - other)
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? USUAL_FRAME
  }

  /** Wall time moved on by more than the player's: footage is missing in between. */
  #noteCrossing(from: number, to: number, mediaPassed: number): void {
    if (mediaPassed > 0 && to - from - mediaPassed * 1000 > SEAMLESS) this.#jump = { from, to }
  }

  #noteJump(from: number, to: number): void {
    this.#jump = to - from > SEAMLESS ? { from, to } : undefined
  }

  readonly #onWaiting = (): void => this.#send({ type: 'starved' })

  readonly #onEnded = (): void => {
    if (this.#target.live) this.#retryLater('unreachable', undefined)
    else this.#goOn(this.#clock.end ?? this.#target.at)
  }

  readonly #onTick = (): void => {
    this.#pictures.poll()
    this.#reachFurther()
    this.#send({ type: 'tick' })
    const { state } = this.#machine
    const tooLong = state.is === 'stalled' && performance.now() - state.since > RECONNECT_AFTER
    if (tooLong) this.#open(this.#resumeTarget())
  }

  #send(event: Parameters<PlayerMachine['send']>[0]): void {
    this.#machine.send(event, performance.now())
  }

  #tell(): void {
    const next = this.#look()
    const last = this.#snapshot
    const same = (Object.keys(next) as (keyof PlayerSnapshot)[]).every(
      (key) => next[key] === last[key],
    )
    if (same) return
    this.#snapshot = next
    for (const listener of this.#listeners) listener()
  }

  #tellPicture(): void {
    for (const listener of this.#pictureListeners) listener()
  }

  #look(): PlayerSnapshot {
    return {
      state: this.#machine.state,
      wantsToPlay: this.#machine.wantsToPlay,
      live: this.#target.live,
      goingTo: this.#goingTo,
      rate: this.#rate,
      jump: this.#jump,
    }
  }
}
