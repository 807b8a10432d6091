/**
 * What a live picture is doing, as a machine: events and the time go in, one state comes out. No
 * React, no DOM. `playing` is only ever reached through a picture, and left when that grows old.
 */
import type { Language } from '@/i18n/direction'
import { Freshness } from './freshness'

/** Why there is no picture, when the coordinator says so. */
export type Down = Readonly<{
  /** In ms of UTC. */
  since: number | undefined
  sentences: Readonly<Record<Language, string>> | undefined
}>

export type LiveState =
  | Readonly<{ is: 'idle' }>
  /** `attempt` counts what failed in a row before; `error` is what the coordinator said last. */
  | Readonly<{ is: 'connecting'; attempt: number; error?: unknown }>
  | Readonly<{ is: 'playing' }>
  /** There is a picture, and it is old. */
  | Readonly<{ is: 'stale' }>
  | Readonly<{ is: 'down'; down: Down }>
  /** The coordinator said no. */
  | Readonly<{ is: 'refused'; error: unknown }>
  /** This browser cannot show the camera's video in any way. */
  | Readonly<{ is: 'unplayable' }>

export type LiveEvent =
  | Readonly<{ type: 'open' }>
  /** A new picture is on the screen, taken `age` ms ago. */
  | Readonly<{ type: 'picture'; age: number | undefined }>
  | Readonly<{ type: 'down'; down: Down }>
  /** The connection is lost or was never made; it is tried again. */
  | Readonly<{ type: 'lost'; error?: unknown }>
  | Readonly<{ type: 'refused'; error: unknown }>
  | Readonly<{ type: 'unplayable' }>
  | Readonly<{ type: 'close' }>
  /** Time passes. */
  | Readonly<{ type: 'tick' }>

/** What is kept of the past is sent first, and is over soon; in ms. */
const CATCHING_UP = 2_000

export class LiveMachine {
  #state: LiveState = { is: 'idle' }
  #attempt = 0
  #error: unknown
  /** When the first picture of this connection came. */
  #first: number | undefined
  readonly #freshness = new Freshness()
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get state(): LiveState {
    return this.#state
  }

  /** How many connections in a row came to nothing. */
  get attempt(): number {
    return this.#attempt
  }

  /** How long ago the picture on the screen was taken, in ms. */
  age(now: number): number | undefined {
    return this.#freshness.age(now)
  }

  /** Takes note of an event at `now`, in milliseconds that only go forward. */
  send(event: LiveEvent, now: number): void {
    const before = this.#state
    this.#state = this.#next(event, now)
    if (this.#state !== before) this.#onChange()
  }

  #next(event: LiveEvent, now: number): LiveState {
    const state = this.#state
    switch (event.type) {
      case 'open':
        this.#first = undefined
        this.#freshness.forget()
        return this.#connecting()
      case 'close':
        this.#attempt = 0
        this.#freshness.forget()
        return { is: 'idle' }
      case 'lost':
        this.#first = undefined
        this.#attempt++
        this.#error = event.error
        return this.#connecting()
      case 'refused':
        return { is: 'refused', error: event.error }
      case 'unplayable':
        return { is: 'unplayable' }
      case 'down':
        return isUnderWay(state) ? { is: 'down', down: event.down } : state
      case 'picture':
        // A picture of what was shown before says nothing about what was asked for since.
        if (!isUnderWay(state)) return state
        this.#attempt = 0
        this.#error = undefined
        this.#first ??= now
        this.#freshness.picture(now, event.age)
        return this.#judged(now, { is: 'playing' })
      case 'tick':
        return this.#withTime(state, now)
    }
  }

  #connecting(): LiveState {
    const state = { is: 'connecting', attempt: this.#attempt } as const
    return this.#error === undefined ? state : { ...state, error: this.#error }
  }

  #withTime(state: LiveState, now: number): LiveState {
    if (state.is === 'playing') return this.#judged(now, state)
    // Pictures came, all of them old, and then none.
    const waited = this.#first !== undefined && now - this.#first >= CATCHING_UP
    return state.is === 'connecting' && waited ? { is: 'stale' } : state
  }

  #judged(now: number, fresh: LiveState): LiveState {
    const is = this.#freshness.isStale(now) ? 'stale' : 'playing'
    if (this.#state.is === is) return this.#state
    const catchingUp = this.#state.is === 'connecting' && now - (this.#first ?? now) < CATCHING_UP
    if (is === 'stale' && catchingUp) return this.#state
    return is === 'stale' ? { is } : fresh
  }
}

const isUnderWay = (state: LiveState): boolean =>
  state.is === 'connecting' || state.is === 'playing' || state.is === 'stale' || state.is === 'down'
