/**
 * Footage for the mock: one short clip, cut at its fragments and given new times, so that any moment
 * of any camera can be played. Just enough of ISO/IEC 14496-12 to find boxes and set `tfdt`.
 */

export const FRAGMENT_MS = 2_000

export type Clip = Readonly<{
  init: Uint8Array
  fragments: readonly Uint8Array[]
  timescale: number
}>

let loading: Promise<Clip> | undefined

export function loadClip(): Promise<Clip> {
  loading ??= fetch('/clip.mp4')
    .then((answer) => answer.arrayBuffer())
    .then((bytes) => readClip(new Uint8Array(bytes)))
  return loading
}

type Box = Readonly<{ type: string; start: number; body: number; end: number }>

function boxesIn(bytes: Uint8Array, from: number, to: number): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const boxes: Box[] = []
  for (let start = from; start + 8 <= to;) {
    const size = view.getUint32(start)
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8))
    if (size < 8 || start + size > to) break
    boxes.push({ type, start, body: start + 8, end: start + size })
    start += size
  }
  return boxes
}

function within(bytes: Uint8Array, outer: Box, ...path: string[]): Box | undefined {
  let found: Box | undefined = outer
  for (const type of path) {
    const around: Box | undefined = found
    found = around && boxesIn(bytes, around.body, around.end).find((box) => box.type === type)
  }
  return found
}

export function readClip(bytes: Uint8Array): Clip {
  const boxes = boxesIn(bytes, 0, bytes.length)
  const moov = boxes.find((box) => box.type === 'moov')
  if (!moov) throw new Error('the clip has no moov box')
  const mdhd = within(bytes, moov, 'trak', 'mdia', 'mdhd')
  if (!mdhd) throw new Error('the clip has no mdhd box')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const version = bytes[mdhd.body]
  const timescale = view.getUint32(mdhd.body + (version === 1 ? 20 : 12))
  const fragments = boxes
    .filter((box) => box.type === 'moof')
    .flatMap((moof) => {
      const mdat = boxes.find((box) => box.start === moof.end && box.type === 'mdat')
      return mdat ? [bytes.slice(moof.start, mdat.end)] : []
    })
  return { init: bytes.slice(0, moov.end), fragments, timescale }
}

/** The same pictures at another time, in ms. */
export function retimed({ timescale }: Clip, fragment: Uint8Array, at: number): Uint8Array {
  const copy = fragment.slice()
  const moof = boxesIn(copy, 0, copy.length)[0]
  const tfdt = moof && within(copy, moof, 'traf', 'tfdt')
  if (!tfdt) throw new Error('the fragment has no tfdt box')
  const time = BigInt(Math.round((at * timescale) / 1000))
  const view = new DataView(copy.buffer, copy.byteOffset)
  if (copy[tfdt.body] === 1) view.setBigUint64(tfdt.body + 4, time)
  else view.setUint32(tfdt.body + 4, Number(BigInt.asUintN(32, time)))
  return copy
}
