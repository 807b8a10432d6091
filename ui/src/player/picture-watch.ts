/**
 * Tells which picture is on the screen, by the position of each new one. What is decoded or buffered
 * does not count: only what a person can see.
 */
export class PictureWatch {
  readonly #video: HTMLVideoElement
  readonly #onPicture: (media: number) => void
  readonly #exact: boolean
  #callback = 0
  #last: number | undefined

  constructor(video: HTMLVideoElement, onPicture: (media: number) => void) {
    this.#video = video
    this.#onPicture = onPicture
    this.#exact = 'requestVideoFrameCallback' in video
    video.addEventListener('seeked', this.#onSeeked)
    this.#next()
  }

  /** The same position is new again after something else is played. */
  forget(): void {
    this.#last = undefined
  }

  /**
   * To be called now and then. Frame callbacks do not come while the page is hidden, nor in every
   * browser; there the position is what we know of the picture.
   */
  poll(): void {
    if (this.#exact && document.visibilityState === 'visible') return
    if (!this.#video.seeking) this.#seen(this.#video.currentTime)
  }

  close(): void {
    this.#video.removeEventListener('seeked', this.#onSeeked)
    if (this.#exact) this.#video.cancelVideoFrameCallback(this.#callback)
  }

  #next(): void {
    if (!this.#exact) return
    this.#callback = this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#seen(mediaTime)
      this.#next()
    })
  }

  readonly #onSeeked = (): void => {
    if (!this.#exact) this.#seen(this.#video.currentTime)
  }

  #seen(media: number): void {
    if (media === this.#last) return
    this.#last = media
    this.#onPicture(media)
  }
}
