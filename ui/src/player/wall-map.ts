/** When the picture at a position of the media was taken. Pure. */

type Mark = Readonly<{ media: number; wall: number }>

/** Far more than is ever in the buffer. */
const KEPT = 600

export class WallMap {
  /** In order of position. */
  #marks: Mark[] = []

  /** From this position (in seconds) on, pictures were taken from this instant (in ms of UTC) on. */
  add(media: number, wall: number): void {
    if (Number.isNaN(wall)) return
    while ((this.#marks.at(-1)?.media ?? -1) >= media) this.#marks.pop()
    this.#marks.push({ media, wall })
    if (this.#marks.length > KEPT) this.#marks.shift()
  }

  at(media: number): number | undefined {
    // A frame's time may be rounded to just before the position where it begins.
    const mark = this.#marks.findLast((one) => one.media <= media + 0.001)
    return mark && mark.wall + (media - mark.media) * 1000
  }
}
