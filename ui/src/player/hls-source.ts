/** The only importer of hls.js: feeds a playlist of fragmented MP4 to a `<video>`. */
import Hls, { type HlsConfig, type ErrorData, type LevelDetails } from 'hls.js/light'
import type { PlaylistPiece } from './playback-clock'
import { SignedUrls } from './signed-urls'

export type Trouble =
  /** An address did not answer, or refused. */
  | Readonly<{ kind: 'network'; status: number | undefined }>
  /** What came cannot be decoded. */
  | Readonly<{ kind: 'media' }>
  /** This browser has no decoder for it. */
  | Readonly<{ kind: 'codec' }>

export type SourceEvents = Readonly<{
  /** The playlist was read, for the first time or again. */
  onPlaylist: (pieces: readonly PlaylistPiece[], live: boolean) => void
  /** It cannot go on by itself. */
  onTrouble: (trouble: Trouble) => void
}>

/** Where pictures come from. A source is opened once and thrown away. */
export type Source = Readonly<{
  /** Starts loading at a position on the player's own clock; `undefined` for the live edge. */
  start: (media: number | undefined) => void
  /** Tries to go on after `media` trouble. */
  recover: () => void
  close: () => void
}>

export type OpenSource = (video: HTMLVideoElement, playlist: string, events: SourceEvents) => Source

const CONFIG: Partial<HlsConfig> = {
  autoStartLoad: false,
  // Fragmented MP4 is passed through as it is; there is nothing for a worker to do.
  enableWorker: false,
  maxBufferLength: 40,
  backBufferLength: 60,
  liveSyncDurationCount: 2,
  liveMaxLatencyDurationCount: 8,
  maxLiveSyncPlaybackRate: 1.15,
  // Footage at the site is fetched while the request waits.
  fragLoadPolicy: {
    default: {
      maxTimeToFirstByteMs: 20_000,
      maxLoadTimeMs: 60_000,
      timeoutRetry: { maxNumRetry: 1, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 4_000 },
    },
  },
}

export const openHlsSource: OpenSource = (video, playlist, events) => {
  if (!Hls.isSupported()) {
    queueMicrotask(() => events.onTrouble({ kind: 'codec' }))
    return { start: () => undefined, recover: () => undefined, close: () => undefined }
  }
  const base = new URL(playlist, document.baseURI).href
  const urls = new SignedUrls(() => readText(base))
  const hls = new Hls({ ...CONFIG, xhrSetup: renewing(urls, base) })
  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    events.onPlaylist(piecesOf(details), details.live)
  })
  hls.on(Hls.Events.LEVEL_PTS_UPDATED, (_, { details }) => {
    events.onPlaylist(piecesOf(details), details.live)
  })
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.details === Hls.ErrorDetails.LEVEL_EMPTY_ERROR) {
      events.onPlaylist([], false)
    } else if (data.fatal) {
      events.onTrouble(troubleOf(data))
    }
  })
  hls.attachMedia(video)
  hls.loadSource(base)
  return {
    start: (media) => hls.startLoad(media ?? -1),
    recover: () => hls.recoverMediaError(),
    close: () => hls.destroy(),
  }
}

/** Replaces an address whose signature is about to run out before it is asked for. */
function renewing(urls: SignedUrls, base: string): NonNullable<HlsConfig['xhrSetup']> {
  return async (xhr, url) => {
    if (!new URL(url, base).searchParams.has('expires')) return
    xhr.open('GET', await urls.current(url, base, Date.now()), true)
  }
}

async function readText(address: string): Promise<string> {
  const answer = await fetch(address, { credentials: 'same-origin' })
  if (!answer.ok) throw new Error(`playlist answered ${answer.status}`)
  return answer.text()
}

function piecesOf(details: LevelDetails): PlaylistPiece[] {
  return details.fragments.flatMap(({ start, duration, programDateTime }) =>
    programDateTime === null ? [] : [{ media: start, duration, wall: programDateTime }],
  )
}

function troubleOf({ type, details, response }: ErrorData): Trouble {
  const { ErrorDetails, ErrorTypes } = Hls
  switch (details) {
    case ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR:
    case ErrorDetails.BUFFER_ADD_CODEC_ERROR:
    case ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR:
      return { kind: 'codec' }
    default:
      return type === ErrorTypes.MEDIA_ERROR
        ? { kind: 'media' }
        : { kind: 'network', status: response?.code }
  }
}
