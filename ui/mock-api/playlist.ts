/** Playlists and segments of the mock, shaped as the coordinator's: byte ranges, dates, signatures. */
import type { Span } from '@/api/model'
import { MINUTE, type TimeRange } from '@/time/range'
import { FRAGMENT_MS, retimed, type Clip } from './clip'

/** A fragment of a recording: which run it belongs to and when it was taken, in ms. */
type Fragment = Readonly<{ run: number; at: number }>

const LIVE_WINDOW = 30_000
/** As the coordinator's: five minutes; in seconds. */
const VALID_FOR = 300

export const liveRange = (now: number): TimeRange => ({ from: now - LIVE_WINDOW, to: now })

function fragmentsOf(spans: readonly Span[], range: TimeRange): Fragment[] {
  const recorded = spans.filter((span) => span.state === 'recorded')
  const fragments: Fragment[] = []
  let run = 0
  let runEnd = Number.NaN
  for (const span of recorded) {
    const from = Math.max(Date.parse(span.from), range.from)
    const to = Math.min(Date.parse(span.to), range.to)
    if (Date.parse(span.from) !== runEnd) {
      run = Math.ceil(Date.parse(span.from) / FRAGMENT_MS) * FRAGMENT_MS
    }
    runEnd = Date.parse(span.to)
    const first = Math.ceil(from / FRAGMENT_MS) * FRAGMENT_MS
    for (let at = first; at + FRAGMENT_MS <= to; at += FRAGMENT_MS) fragments.push({ run, at })
  }
  return fragments
}

const numberOf = (at: number) => Math.floor(at / FRAGMENT_MS)
const pictures = (clip: Clip, at: number) =>
  clip.fragments[numberOf(at) % clip.fragments.length] ?? new Uint8Array()
const minuteOf = (at: number) => Math.floor(at / MINUTE) * MINUTE

/** Where a fragment lies in its segment, which holds a minute. */
function offsetOf(clip: Clip, at: number): number {
  let offset = clip.init.length
  for (let before = minuteOf(at); before < at; before += FRAGMENT_MS) {
    offset += pictures(clip, before).length
  }
  return offset
}

export function playlistOf(
  clip: Clip,
  spans: readonly Span[],
  range: TimeRange,
  live: boolean,
  now: number,
): string {
  const fragments = fragmentsOf(spans, range)
  const expires = Math.floor(now / 1000) + VALID_FOR
  const address = ({ run, at }: Fragment) =>
    `segments/${minuteOf(at)}-${run}.mp4?expires=${expires}&signature=mock`
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${FRAGMENT_MS / 1000}`,
    `#EXT-X-MEDIA-SEQUENCE:${fragments[0] ? numberOf(fragments[0].at) : 0}`,
    ...(live ? [] : ['#EXT-X-PLAYLIST-TYPE:VOD']),
  ]
  let before: Fragment | undefined
  for (const fragment of fragments) {
    if (before && before.run !== fragment.run) lines.push('#EXT-X-DISCONTINUITY')
    if (before?.run !== fragment.run || minuteOf(fragment.at) === fragment.at) {
      lines.push(
        `#EXT-X-MAP:URI="${address(fragment)}",BYTERANGE="${clip.init.length}@0"`,
        `#EXT-X-PROGRAM-DATE-TIME:${new Date(fragment.at).toISOString()}`,
      )
    }
    lines.push(
      `#EXTINF:${(FRAGMENT_MS / 1000).toFixed(3)},`,
      `#EXT-X-BYTERANGE:${pictures(clip, fragment.at).length}@${offsetOf(clip, fragment.at)}`,
      address(fragment),
    )
    before = fragment
  }
  if (!live) lines.push('#EXT-X-ENDLIST')
  return `${lines.join('\n')}\n`
}

/** The bytes of a segment, named as the playlist names it; `undefined` for another name. */
export function segmentOf(clip: Clip, name: string): Uint8Array | undefined {
  const [minute, run] = (/^(\d+)-(\d+)$/.exec(name) ?? []).slice(1).map(Number)
  if (minute === undefined || run === undefined) return undefined
  const parts = [clip.init]
  for (let at = minute; at < minute + MINUTE; at += FRAGMENT_MS) {
    parts.push(retimed(clip, pictures(clip, at), Math.max(0, at - run)))
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
