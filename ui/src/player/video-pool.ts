/**
 * `<video>` elements that are used again: a browser keeps decoders and layers with an element, and
 * gives them up late. No React.
 */

/** More than this many unused ones are let go. */
const SPARE = 16

export class VideoPool {
  readonly #spare: HTMLVideoElement[] = []
  #taken = 0

  /** How many are in use. */
  get taken(): number {
    return this.#taken
  }

  /** One that shows nothing. */
  take(): HTMLVideoElement {
    this.#taken++
    return this.#spare.pop() ?? make()
  }

  /** To be called once for each that was taken, when nothing plays in it any more. */
  give(video: HTMLVideoElement): void {
    this.#taken--
    video.remove()
    video.removeAttribute('class')
    video.muted = true
    if (this.#spare.length < SPARE) this.#spare.push(video)
  }
}

function make(): HTMLVideoElement {
  const video = document.createElement('video')
  // Sound is switched on by a person, for one picture.
  video.muted = true
  video.defaultMuted = true
  video.playsInline = true
  video.autoplay = true
  video.disablePictureInPicture = true
  return video
}

export const videoPool = new VideoPool()
