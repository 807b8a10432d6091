/**
 * How much less than wanted this computer can show, found out by measuring. Pure: measurements and
 * the time go in, a number of steps down comes out.
 *
 * Down fast, as everything suffers; up slowly, and more slowly each time that it was too early.
 */

/** What all pictures together did since the last measurement. */
export type Measurement = Readonly<{
  /** How long that was, in ms. */
  time: number
  decoded: number
  dropped: number
  /** In ms, over all cores; `undefined` where the browser does not tell. */
  decodeTime: number | undefined
  /** How many pictures are running. */
  running: number
  /** By how much the page itself was late, in ms. */
  late: number
}>

/** More of all pictures thrown away than this is too much. */
const DROPPED = 0.06
/** Fewer pictures than this say nothing. */
const FEWEST = 20
/** More of all cores' time than this is too much. */
const BUSY = 0.75
/** A page this late does not react any more; in ms. */
const LATE = 350
/** So many strained measurements in a row are no accident. */
const STRAINED = 2
/** How long it must be calm before one step up is tried; in ms. */
const CALM = 20_000
const LONGEST_CALM = 300_000
/** Strain this soon after a step up was because of it; in ms. */
const BECAUSE = 15_000
/** This part of what runs comes down at once. */
const PART = 6

export class DecodeBudget {
  readonly #cores: number
  #steps = 0
  #strained = 0
  /** Since when it is calm. */
  #calmSince: number | undefined
  #patience = CALM
  #raisedAt = -Infinity

  constructor(cores: number) {
    this.#cores = Math.max(1, cores)
  }

  get steps(): number {
    return this.#steps
  }

  /** `most` is how many steps there are. The answer is how many are needed. */
  measured(measurement: Measurement, most: number, now: number): number {
    this.#steps = Math.min(this.#steps, most)
    if (isStrained(measurement, this.#cores)) this.#strain(measurement, most, now)
    else this.#calm(now)
    return this.#steps
  }

  #strain({ running }: Measurement, most: number, now: number): void {
    this.#calmSince = undefined
    if (++this.#strained < STRAINED) return
    this.#strained = 0
    if (now - this.#raisedAt < BECAUSE) {
      this.#patience = Math.min(LONGEST_CALM, this.#patience * 2)
      this.#raisedAt = -Infinity
    }
    this.#steps = Math.min(most, this.#steps + Math.max(1, Math.ceil(running / PART)))
  }

  #calm(now: number): void {
    this.#strained = 0
    this.#calmSince ??= now
    if (this.#steps === 0 || now - this.#calmSince < this.#patience) return
    this.#steps--
    this.#raisedAt = now
    this.#calmSince = now
  }
}

function isStrained(measurement: Measurement, cores: number): boolean {
  const { time, decoded, dropped, decodeTime, late } = measurement
  const all = decoded + dropped
  if (all >= FEWEST && dropped / all > DROPPED) return true
  if (decodeTime !== undefined && decodeTime > BUSY * cores * time) return true
  return late > LATE
}
