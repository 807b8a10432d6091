/**
 * Tells of each new picture on the screen, with what the browser knows of it. Where it tells of none
 * (the page is hidden, the browser is old), the newest picture is looked up now and then.
 */
import type { ShownFrame } from './live-source'

export class FrameWatch {
  readonly #video: HTMLVideoElement
  readonly #onFrame: (frame: ShownFrame) => void
  readonly #exact: boolean
  #callback = 0
  #last: number | undefined

  constructor(video: HTMLVideoElement, onFrame: (frame: ShownFrame) => void) {
    this.#video = video
    this.#onFrame = onFrame
    this.#exact = 'requestVideoFrameCallback' in video
    this.#next()
  }

  /** To be called now and then with the newest picture that is known of. */
  poll(newest: ShownFrame | undefined): void {
    if (!newest || (this.#exact && document.visibilityState === 'visible')) return
    this.#seen(newest)
  }

  close(): void {
    if (this.#exact) this.#video.cancelVideoFrameCallback(this.#callback)
  }

  #next(): void {
    if (!this.#exact) return
    this.#callback = this.#video.requestVideoFrameCallback((_, frame) => {
      this.#seen(frame)
      this.#next()
    })
  }

  /** The same picture twice is one: what counts is its own time, not that it was painted. */
  #seen(frame: ShownFrame): void {
    const time = frame.rtpTimestamp ?? frame.mediaTime
    if (time === this.#last) return
    this.#last = time
    this.#onFrame(frame)
  }
}
