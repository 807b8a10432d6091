/**
 * What time it is at the coordinator, from the `Date` of its answers (RFC 9110, section 6.6.1).
 *
 * Each answer says: at some moment between asking and hearing, the coordinator's clock showed this
 * second. Many answers together leave little room. The workstation's own wall clock is not asked.
 */

/** What a `Date` leaves out; in ms. */
const DATE_STEP = 1_000
/** Two good clocks run apart by this much of the time that passes. */
const DRIFT = 1e-4

export class ServerClock {
  /** What is to be added to a reading of ours: not less, not more. */
  #low = -Infinity
  #high = Infinity
  #heardAt = 0

  /** An answer came that says `date`, true to `step`; times of ours by a clock that only goes forward. */
  heard(date: number, askedAt: number, heardAt: number, step = DATE_STEP): void {
    if (Number.isNaN(date)) return
    const low = date - heardAt
    const high = date + step - askedAt
    const drift = (heardAt - this.#heardAt) * DRIFT
    const both = {
      low: Math.max(low, this.#low - drift),
      high: Math.min(high, this.#high + drift),
    }
    // Somebody set a clock, or this computer slept: what was known before is worth nothing.
    const fits = both.low <= both.high
    this.#low = fits ? both.low : low
    this.#high = fits ? both.high : high
    this.#heardAt = heardAt
  }

  /** In ms of UTC, when our clock shows `at`; `undefined` before anything was heard. */
  now(at: number): number | undefined {
    return this.#high === Infinity ? undefined : at + (this.#low + this.#high) / 2
  }
}

export const serverClock = new ServerClock()
