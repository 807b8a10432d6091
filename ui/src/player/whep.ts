/**
 * Live pictures by WebRTC: one offer by POST, an answer, DELETE at the end (WHEP, in the form that
 * RFC 9725 gives WHIP). No React.
 *
 * No candidates are sent after the offer. The coordinator's are in its answer, this side checks them,
 * and the coordinator learns from the checks where this side is; it calls nobody by itself.
 */
import { errorFrom, UnreachableError, type RefusedError } from '@/api/errors'
import type {
  DecodeCounts,
  LiveOrder,
  LiveSource,
  LiveSourceEvents,
  OpenLiveSource,
  ShownFrame,
  Trouble,
} from './live-source'
import { iceServersOf } from './ice-servers'
import { wallOfRtp } from './rtp-time'

export type WhepDeps = Readonly<{
  createPeer: () => RTCPeerConnection
  fetch: typeof globalThis.fetch
}>

/** From the answer until the transport stands; in ms. */
const CONNECT_PATIENCE = 6_000
/** A transport that says it is interrupted may recover by itself this long; in ms. */
const INTERRUPTED_PATIENCE = 2_500
const SDP = 'application/sdp'

export const whepAddress = ({ camera, rendition }: LiveOrder): string =>
  `/api/v1/cameras/${encodeURIComponent(camera)}/whep?rendition=${rendition}`

const REAL: WhepDeps = {
  createPeer: () => new RTCPeerConnection({ bundlePolicy: 'max-bundle' }),
  fetch: (input, init) => globalThis.fetch(input, init),
}

export const openWhep: OpenLiveSource = (video, order, events) =>
  new WhepSource(video, order, events, REAL)

export class WhepSource implements LiveSource {
  readonly #video: HTMLVideoElement
  readonly #events: LiveSourceEvents
  readonly #deps: WhepDeps
  readonly #peer: RTCPeerConnection
  readonly #abort = new AbortController()
  #receiver: RTCRtpReceiver | undefined
  /** Where the session is ended; known with the answer. */
  #session: string | undefined
  #connected = false
  #closed = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(video: HTMLVideoElement, order: LiveOrder, events: LiveSourceEvents, deps: WhepDeps) {
    this.#video = video
    this.#events = events
    this.#deps = deps
    this.#peer = deps.createPeer()
    this.#peer.addEventListener('connectionstatechange', this.#onConnectionState)
    this.#peer.addEventListener('track', this.#onTrack)
    void this.#negotiate(whepAddress(order))
  }

  wallOf({ rtpTimestamp }: ShownFrame, near: number): number | undefined {
    const rtp = rtpTimestamp ?? this.#synchronised()?.rtpTimestamp
    return rtp === undefined ? undefined : wallOfRtp(rtp, near)
  }

  newest(): ShownFrame | undefined {
    const source = this.#synchronised()
    return source && { mediaTime: source.timestamp, rtpTimestamp: source.rtpTimestamp }
  }

  async counts(): Promise<DecodeCounts | undefined> {
    if (this.#closed || !this.#receiver) return undefined
    const report = await this.#receiver.getStats()
    for (const entry of report.values() as Iterable<unknown>) {
      if (isInbound(entry)) {
        return {
          decoded: entry.framesDecoded ?? 0,
          dropped: entry.framesDropped ?? 0,
          decodeTime:
            entry.totalDecodeTime === undefined ? undefined : entry.totalDecodeTime * 1000,
          bytes: entry.bytesReceived,
        }
      }
    }
    return undefined
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#peer.close()
    this.#video.srcObject = null
    if (this.#session) this.#end(this.#session)
    // An answer under way is waited for: it may open a session that is to be ended.
  }

  async #negotiate(address: string): Promise<void> {
    try {
      this.#receiver = this.#peer.addTransceiver('video', { direction: 'recvonly' }).receiver
      this.#peer.addTransceiver('audio', { direction: 'recvonly' })
      const offer = await this.#peer.createOffer()
      if (this.#closed) return
      const answer = await this.#ask(address, offer.sdp ?? '')
      if (!answer || this.#isClosed()) return
      await this.#peer.setLocalDescription(offer)
      await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer })
      if (this.#isClosed() || this.#connected) return
      this.#timer = setTimeout(() => this.#fail({ is: 'blocked' }), CONNECT_PATIENCE)
    } catch (error) {
      this.#fail(error instanceof UnreachableError ? { is: 'lost' } : { is: 'codec' })
    }
  }

  /** The answer; `undefined` when it was a refusal, which has been told. */
  async #ask(address: string, offer: string): Promise<string | undefined> {
    const request = {
      method: 'POST',
      headers: { 'content-type': SDP, accept: SDP },
      body: offer,
      signal: this.#abort.signal,
    }
    const response = await this.#deps.fetch(address, request).catch((cause: unknown) => {
      throw new UnreachableError('no answer', { cause })
    })
    if (!response.ok) {
      const body: unknown = await response.json().catch(() => undefined)
      this.#fail(troubleOf(errorFrom(response.status, body)))
      return undefined
    }
    this.#session = response.headers.get('location') ?? undefined
    if (this.#closed && this.#session) this.#end(this.#session)
    const iceServers = iceServersOf(response.headers.get('link'))
    // Before the offer is put in place, so that candidates are gathered with them.
    if (!this.#closed && iceServers.length > 0) this.#peer.setConfiguration({ iceServers })
    return response.text()
  }

  /** Lets the coordinator know at once; where that fails it notices by itself. */
  #end(session: string): void {
    this.#deps.fetch(session, { method: 'DELETE', keepalive: true }).catch(() => undefined)
  }

  #fail(trouble: Trouble): void {
    if (this.#closed) return
    this.close()
    this.#events.onTrouble(trouble)
  }

  readonly #onTrack = ({ track, streams }: RTCTrackEvent): void => {
    if (this.#closed) return
    const shown = this.#video.srcObject instanceof MediaStream ? this.#video.srcObject : undefined
    if (shown) shown.addTrack(track)
    else this.#video.srcObject = streams[0] ?? new MediaStream([track])
    this.#video.play().catch(() => undefined)
  }

  readonly #onConnectionState = (): void => {
    clearTimeout(this.#timer)
    switch (this.#peer.connectionState) {
      case 'connected':
        this.#connected = true
        break
      case 'disconnected':
        this.#timer = setTimeout(() => this.#fail({ is: 'lost' }), INTERRUPTED_PATIENCE)
        break
      case 'failed':
        this.#fail({ is: this.#connected ? 'lost' : 'blocked' })
        break
      case 'new':
      case 'connecting':
      case 'closed':
        break
    }
  }

  #isClosed(): boolean {
    return this.#closed
  }

  #synchronised(): RTCRtpSynchronizationSource | undefined {
    return this.#receiver?.getSynchronizationSources()[0]
  }
}

function troubleOf(error: RefusedError | UnreachableError): Trouble {
  if (error instanceof UnreachableError) return { is: 'lost' }
  if (error.code.toLowerCase() === 'codec_not_carried') return { is: 'codec' }
  // Busy, or on its way up: neither is an answer to what was asked.
  if (error.status >= 500 || error.code === 'rate_limited') return { is: 'lost', error }
  return { is: 'refused', error }
}

type Inbound = Readonly<{
  framesDecoded?: number
  framesDropped?: number
  totalDecodeTime?: number
  bytesReceived?: number
}>

const isInbound = (entry: unknown): entry is Inbound =>
  typeof entry === 'object' && entry !== null && 'type' in entry && entry.type === 'inbound-rtp'
