/**
 * Which instant a picture shows. A player counts its own seconds without a gap; the playlist's
 * program date-times (RFC 8216 section 4.3.2.6) say which wall time each piece of it shows. Pure.
 */

/** One piece of a playlist. */
export type PlaylistPiece = Readonly<{
  /** Where it begins on the player's own clock, in seconds. */
  media: number
  /** In seconds. */
  duration: number
  /** When its first picture was taken, in milliseconds of UTC. */
  wall: number
}>

export class PlaybackClock {
  readonly #pieces: readonly PlaylistPiece[]

  constructor(pieces: readonly PlaylistPiece[]) {
    this.#pieces = pieces.filter((piece) => piece.duration > 0).sort((a, b) => a.media - b.media)
  }

  /** Whether there is anything to play at all. */
  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  /** When the first picture was taken. */
  get start(): number | undefined {
    return this.#pieces[0]?.wall
  }

  /** When the last picture ended. */
  get end(): number | undefined {
    const last = this.#pieces.at(-1)
    return last && endOf(last)
  }

  /** The instant shown at a position; positions outside count as the nearer end. */
  wallAt(media: number): number | undefined {
    const piece = this.#pieces.findLast((one) => one.media <= media) ?? this.#pieces[0]
    if (!piece) return undefined
    const into = Math.min(Math.max(media - piece.media, 0), piece.duration)
    return piece.wall + into * 1000
  }

  /**
   * The position that shows an instant. Between two pieces it is the beginning of the next, and the
   * answer says which instant that is; after the last piece there is none.
   */
  mediaAt(wall: number): { media: number; wall: number } | undefined {
    const next = this.#pieces.find((piece) => wall < endOf(piece))
    if (!next) return undefined
    const shown = Math.max(wall, next.wall)
    return { media: next.media + (shown - next.wall) / 1000, wall: shown }
  }
}

const endOf = (piece: PlaylistPiece): number => piece.wall + piece.duration * 1000
