/**
 * How old the picture on the screen is. Pure.
 *
 * Two things make a picture old: it stands still, which needs no clock but this page's, or pictures
 * move but were taken a while ago, which is seen by the time that they carry. Neither a connection
 * nor a buffer is asked.
 */

/** Standing still this long is never normal, whatever came before; in ms. */
const LEAST_PATIENCE = 1_500
/** Standing still this long is never normal, however slow the camera; in ms. */
const MOST_PATIENCE = 12_000
/** So many usual distances between pictures may pass without one. */
const DISTANCES = 4
const REMEMBERED = 9
/** Pictures that move but are older than this are not live; in ms. */
export const BEHIND_AFTER = 3_000

export class Freshness {
  /** When the newest picture came on the screen, by a clock that only goes forward. */
  #seenAt: number | undefined
  /** How old it was then; `undefined` when it does not say. */
  #ageThen: number | undefined
  readonly #distances: number[] = []

  /** A new picture is on the screen; `age` is how long ago it was taken, when known. */
  picture(now: number, age: number | undefined): void {
    if (this.#seenAt !== undefined) {
      this.#distances.push(now - this.#seenAt)
      if (this.#distances.length > REMEMBERED) this.#distances.shift()
    }
    this.#seenAt = now
    // Clocks differ by a little; nothing was taken in the future.
    this.#ageThen = age === undefined ? undefined : Math.max(0, age)
  }

  /** What follows has nothing to do with what was shown before. */
  forget(): void {
    this.#seenAt = undefined
    this.#ageThen = undefined
    this.#distances.length = 0
  }

  /** How long ago the picture on the screen was taken, in ms; `undefined` when there is none. */
  age(now: number): number | undefined {
    if (this.#seenAt === undefined) return undefined
    return now - this.#seenAt + (this.#ageThen ?? 0)
  }

  isStale(now: number): boolean {
    if (this.#seenAt === undefined) return false
    return (
      now - this.#seenAt > this.#patience() || (this.age(now) ?? 0) > BEHIND_AFTER + this.#slack()
    )
  }

  /** A camera of few pictures is allowed to show each of them longer. */
  #patience(): number {
    return Math.min(MOST_PATIENCE, Math.max(LEAST_PATIENCE, DISTANCES * this.#distance()))
  }

  /** The age grows from picture to picture by as much as they are apart. */
  #slack(): number {
    const distance = this.#distance()
    return distance > LEAST_PATIENCE / DISTANCES ? Math.min(MOST_PATIENCE, DISTANCES * distance) : 0
  }

  /** The usual distance between two pictures; one interruption does not change what is usual. */
  #distance(): number {
    const sorted = [...this.#distances].sort((one, other) => one - other)
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
  }
}
