/**
 * What the player is doing, as a machine: events and the time go in, one state comes out. No React,
 * no DOM.
 *
 * `playing` is only ever reached through a picture: a socket, a buffer or a timer is no proof that
 * anything moves on the screen.
 */

export type FailReason =
  /** There is no footage in what was asked for. */
  | 'no_footage'
  /** This browser cannot decode the camera's video. */
  | 'codec'
  /** The footage cannot be decoded. */
  | 'media'
  /** The coordinator said no. */
  | 'refused'
  /** Nobody answers. */
  | 'unreachable'

export type PlayerState =
  | Readonly<{ is: 'idle' }>
  /** Asking for a playlist. */
  | Readonly<{ is: 'connecting' }>
  /** The playlist is there; the picture is on its way. */
  | Readonly<{ is: 'buffering' }>
  /** Pictures follow each other. */
  | Readonly<{ is: 'playing' }>
  /** The person wants it to stand still. */
  | Readonly<{ is: 'paused' }>
  /** It should move and does not; `since` is when the last picture came, in ms. */
  | Readonly<{ is: 'stalled'; since: number }>
  /** Nothing follows. */
  | Readonly<{ is: 'ended' }>
  | Readonly<{ is: 'failed'; reason: FailReason; error?: unknown }>

export type PlayerEvent =
  /** Something else is to be played. */
  | Readonly<{ type: 'open' }>
  | Readonly<{ type: 'ready' }>
  /** A new picture is on the screen. */
  | Readonly<{ type: 'picture' }>
  /** The decoder has run out of data. */
  | Readonly<{ type: 'starved' }>
  | Readonly<{ type: 'play' }>
  | Readonly<{ type: 'pause' }>
  | Readonly<{ type: 'finished' }>
  | Readonly<{ type: 'failed'; reason: FailReason; error?: unknown }>
  | Readonly<{ type: 'close' }>
  /** Time passes. */
  | Readonly<{ type: 'tick' }>

/** Without a new picture for this long, something that should move has stalled; in ms. */
export const STALLED_AFTER = 2_000
/** Waiting for a first picture may take longer, as footage may come from the site; in ms. */
export const FIRST_PICTURE_AFTER = 10_000

export class PlayerMachine {
  #state: PlayerState = { is: 'idle' }
  #wantsToPlay = true
  /** When a picture last came, or when waiting for one began. */
  #lastPicture = 0
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get state(): PlayerState {
    return this.#state
  }

  /** What the person asked for last, whatever has become of it. */
  get wantsToPlay(): boolean {
    return this.#wantsToPlay
  }

  /** Takes note of an event at `now`, in milliseconds that only go forward. */
  send(event: PlayerEvent, now: number): void {
    const before = this.#state
    const wanted = this.#wantsToPlay
    this.#state = this.#next(event, now)
    if (this.#state !== before || this.#wantsToPlay !== wanted) this.#onChange()
  }

  #next(event: PlayerEvent, now: number): PlayerState {
    const state = this.#state
    switch (event.type) {
      case 'open':
        this.#lastPicture = now
        return { is: 'connecting' }
      case 'close':
        this.#wantsToPlay = true
        return { is: 'idle' }
      case 'failed':
        return failed(event.reason, event.error)
      case 'ready':
        this.#lastPicture = now
        return state.is === 'connecting' ? { is: 'buffering' } : state
      case 'picture':
        return this.#withPicture(state, now)
      case 'play':
        this.#wantsToPlay = true
        this.#lastPicture = now
        return state.is === 'paused' || state.is === 'ended' ? { is: 'buffering' } : state
      case 'pause':
        this.#wantsToPlay = false
        return isUnderWay(state) && state.is !== 'connecting' ? { is: 'paused' } : state
      case 'starved':
        return state.is === 'playing' ? { is: 'buffering' } : state
      case 'finished':
        return isUnderWay(state) ? { is: 'ended' } : state
      case 'tick':
        return this.#withTime(state, now)
    }
  }

  #withPicture(state: PlayerState, now: number): PlayerState {
    // A picture of what was shown before says nothing about what was asked for since.
    if (!isUnderWay(state) || state.is === 'connecting') return state
    this.#lastPicture = now
    const is = this.#wantsToPlay ? 'playing' : 'paused'
    return state.is === is ? state : { is }
  }

  #withTime(state: PlayerState, now: number): PlayerState {
    const patience = state.is === 'playing' ? STALLED_AFTER : FIRST_PICTURE_AFTER
    const moves = state.is === 'playing' || state.is === 'buffering'
    if (!moves || now - this.#lastPicture < patience) return state
    return { is: 'stalled', since: this.#lastPicture }
  }
}

const failed = (reason: FailReason, error: unknown): PlayerState =>
  error === undefined ? { is: 'failed', reason } : { is: 'failed', reason, error }

const isUnderWay = (state: PlayerState): boolean =>
  state.is !== 'idle' && state.is !== 'ended' && state.is !== 'failed'
