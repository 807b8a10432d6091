/** Adds up what all pictures of the wall did since it was last asked. No React. */
import type { DecodeCounts } from '@/player/live-source'
import type { Measurement } from './decode-budget'

type Counted = Readonly<{ counts: () => Promise<DecodeCounts | undefined> }>

const NOTHING: DecodeCounts = { decoded: 0, dropped: 0, decodeTime: undefined, bytes: undefined }

export class DecodeMeter {
  readonly #before = new Map<Counted, DecodeCounts>()
  #at: number

  constructor(now: number) {
    this.#at = now
  }

  /** Until the answer is called. */
  add(one: Counted): () => void {
    this.#before.set(one, NOTHING)
    return () => this.#before.delete(one)
  }

  /** `late` is by how much this comes later than it should. */
  async measure(now: number, late: number): Promise<Measurement> {
    const time = now - this.#at
    this.#at = now
    const sum = { decoded: 0, dropped: 0, decodeTime: 0, timed: false, running: 0 }
    const all = [...this.#before.keys()]
    const counts = await Promise.all(all.map((one) => one.counts().catch(() => undefined)))
    all.forEach((one, index) => {
      const after = counts[index]
      const before = this.#before.get(one)
      if (!after || !before) return
      this.#before.set(one, after)
      // Another source began to count from nothing.
      const base = after.decoded < before.decoded ? NOTHING : before
      sum.running++
      sum.decoded += after.decoded - base.decoded
      sum.dropped += Math.max(0, after.dropped - base.dropped)
      if (after.decodeTime === undefined) return
      sum.timed = true
      sum.decodeTime += after.decodeTime - (base.decodeTime ?? 0)
    })
    const { decoded, dropped, decodeTime, timed, running } = sum
    return { time, decoded, dropped, decodeTime: timed ? decodeTime : undefined, running, late }
  }
}
