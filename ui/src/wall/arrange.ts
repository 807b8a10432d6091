/**
 * Which camera is in which tile. Pure. A tile keeps its camera until a person changes it: nothing
 * moves because a camera has failed, another one was added, or the layout has fewer tiles for a while.
 */

/** Camera ids by tile; `undefined` where there is none. There may be more than the layout shows. */
export type Seats = readonly (string | undefined)[]

/** More than any layout has are not kept. */
export const MOST_SEATS = 64

/** Puts a camera there. One that was elsewhere changes places with what it finds. */
export function put(seats: Seats, at: number, camera: string): Seats {
  const before = seats.indexOf(camera)
  if (before >= 0) return swap(seats, before, at)
  return trimmed(withSeat(seats, at, camera))
}

export function swap(seats: Seats, one: number, other: number): Seats {
  const [first, second] = [seats[one], seats[other]]
  return trimmed(withSeat(withSeat(seats, one, second), other, first))
}

export const clear = (seats: Seats, at: number): Seats => trimmed(withSeat(seats, at, undefined))

/** The tile that a camera is in or would come into next; `undefined` when all are taken. */
export function nextFor(seats: Seats, size: number, camera: string): number | undefined {
  const shown = places(seats, size)
  const there = shown.indexOf(camera)
  if (there >= 0) return there
  const free = shown.indexOf(undefined)
  return free >= 0 ? free : undefined
}

/** As many as there is room for, each into the next free tile; those that are there stay. */
export function fill(seats: Seats, size: number, cameras: readonly string[]): Seats {
  return cameras.reduce<Seats>((filled, camera) => {
    const at = nextFor(filled, size, camera)
    return at === undefined ? filled : put(filled, at, camera)
  }, seats)
}

/** What the tiles of a layout show. */
export const places = (seats: Seats, size: number): Seats =>
  Array.from({ length: size }, (_, index) => seats[index])

/** How many times a layout of this size has to be shown for every camera to be seen once. */
export const pages = (seats: Seats, size: number): number =>
  Math.max(1, Math.ceil(seats.length / size))

/** What the tiles show on one page of a tour. */
export const pageOf = (seats: Seats, size: number, page: number): Seats =>
  trimmed(seats.slice(page * size, (page + 1) * size))

/** All seats, with one page of them as it is now. What came from another page leaves that. */
export function withPage(seats: Seats, size: number, page: number, now: Seats): Seats {
  const from = page * size
  const others = seats.map((camera, at) =>
    at >= from && at < from + size ? undefined : now.includes(camera) ? undefined : camera,
  )
  return now
    .slice(0, size)
    .reduce<Seats>((all, camera, at) => withSeat(all, from + at, camera), trimmed(others))
}

/** As it stands in an address. */
export const writeSeats = (seats: Seats): string =>
  trimmed(seats)
    .map((camera) => camera ?? '')
    .join('.')

const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Read from an address, which anybody may have written. */
export function readSeats(text: string | null | undefined): Seats {
  const seen = new Set<string>()
  const seats = (text ?? '')
    .split('.')
    .slice(0, MOST_SEATS)
    .map((part) => {
      const id = part.toLowerCase()
      if (!ID.test(id) || seen.has(id)) return undefined
      seen.add(id)
      return id
    })
  return trimmed(seats)
}

function withSeat(seats: Seats, at: number, camera: string | undefined): Seats {
  const copy = places(seats, Math.max(seats.length, at + 1)).slice()
  copy[at] = camera
  return copy
}

/** Without the empty tiles at the end. */
function trimmed(seats: Seats): Seats {
  return seats.slice(0, seats.findLastIndex((camera) => camera !== undefined) + 1)
}
