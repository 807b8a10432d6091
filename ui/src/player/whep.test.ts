// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RefusedError } from '@/api/errors'
import type { Trouble } from './live-source'
import { WhepSource } from './whep'

/** As much of a peer connection as the source touches. */
class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = 'new'
  readonly calls: string[] = []
  closed = false
  stats: unknown[] = []
  synchronised: { timestamp: number; rtpTimestamp: number }[] = []

  addTransceiver(kind: string) {
    this.calls.push(kind)
    return {
      receiver: {
        getSynchronizationSources: () => this.synchronised,
        getStats: () => Promise.resolve(new Map(this.stats.map((entry, key) => [key, entry]))),
      },
    }
  }

  createOffer() {
    return Promise.resolve({ type: 'offer', sdp: 'the offer' })
  }

  setConfiguration(configuration: RTCConfiguration) {
    this.calls.push(JSON.stringify(configuration))
  }

  setLocalDescription() {
    this.calls.push('local')
    return Promise.resolve()
  }

  setRemoteDescription({ sdp }: { sdp: string }) {
    this.calls.push(`remote ${sdp}`)
    return Promise.resolve()
  }

  close() {
    this.closed = true
  }

  become(state: RTCPeerConnectionState) {
    this.connectionState = state
    this.dispatchEvent(new Event('connectionstatechange'))
  }
}

const settle = () => vi.advanceTimersByTimeAsync(0)
const answer = (headers: Record<string, string> = {}) =>
  new Response('the answer', { status: 201, headers: { location: '/api/v1/live/7', ...headers } })
const refusal = (status: number, code: string, more: object = {}) =>
  Response.json(
    { error: { code, message_en: 'No.', message_ar: 'لا.', correlation_id: '1', ...more } },
    { status },
  )

let peer: FakePeer
let requests: { address: string; init: RequestInit }[]
let reply: () => Promise<Response>
let troubles: Trouble[]
let source: WhepSource

function open() {
  source = new WhepSource(
    document.createElement('video'),
    { camera: 'c 1', rendition: 'SUB' },
    { onTrouble: (trouble) => troubles.push(trouble), onDown: () => undefined },
    {
      createPeer: () => peer as unknown as RTCPeerConnection,
      fetch: (address, init = {}) => {
        requests.push({ address: address as string, init })
        return init.method === 'DELETE' ? Promise.resolve(new Response()) : reply()
      },
    },
  )
}

beforeEach(() => {
  vi.useFakeTimers()
  peer = new FakePeer()
  requests = []
  troubles = []
  reply = () => Promise.resolve(answer())
})
afterEach(() => {
  source.close()
  vi.useRealTimers()
})

describe('a WHEP session', () => {
  it('is opened by an offer and ended by its address', async () => {
    open()
    await settle()
    expect(requests[0]).toMatchObject({
      address: '/api/v1/cameras/c%201/whep?rendition=SUB',
      init: { method: 'POST', body: 'the offer' },
    })
    expect(peer.calls).toEqual(['video', 'audio', 'local', 'remote the answer'])
    peer.become('connected')
    source.close()
    expect(peer.closed).toBe(true)
    expect(requests[1]).toMatchObject({
      address: '/api/v1/live/7',
      init: { method: 'DELETE', keepalive: true },
    })
    expect(troubles).toEqual([])
  })

  it('knows the relays before it looks for its own addresses', async () => {
    const link = '<turn:relay.example:3478>; rel="ice-server"; username="u"; credential="p"'
    reply = () => Promise.resolve(answer({ link }))
    open()
    await settle()
    const configuration = peer.calls.findIndex((call) => call.includes('turn:relay.example'))
    expect(configuration).toBeGreaterThan(0)
    expect(configuration).toBeLessThan(peer.calls.indexOf('local'))
  })

  it('that was answered too late is ended all the same', async () => {
    let say: (response: Response) => void = () => undefined
    reply = () => new Promise((resolve) => (say = resolve))
    open()
    await settle()
    source.close()
    expect(requests).toHaveLength(1)
    say(answer())
    await settle()
    expect(requests[1]?.init.method).toBe('DELETE')
    expect(peer.calls).not.toContain('local')
  })

  it('that never connects is blocked somewhere', async () => {
    open()
    await settle()
    await vi.advanceTimersByTimeAsync(7_000)
    expect(troubles).toEqual([{ is: 'blocked' }])
    expect(requests[1]?.init.method).toBe('DELETE')
  })

  it('may be interrupted for a moment, and no longer', async () => {
    open()
    await settle()
    peer.become('connected')
    peer.become('disconnected')
    await vi.advanceTimersByTimeAsync(2_000)
    peer.become('connected')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(troubles).toEqual([])
    peer.become('disconnected')
    await vi.advanceTimersByTimeAsync(3_000)
    expect(troubles).toEqual([{ is: 'lost' }])
  })

  it('that fails after it worked is lost, and before it is blocked', async () => {
    open()
    await settle()
    peer.become('connected')
    peer.become('failed')
    expect(troubles).toEqual([{ is: 'lost' }])
    peer = new FakePeer()
    open()
    await settle()
    peer.become('failed')
    expect(troubles[1]).toEqual({ is: 'blocked' })
  })

  it.each([
    [409, 'CODEC_NOT_CARRIED', 'codec'],
    [409, 'codec_not_carried', 'codec'],
    [503, 'overloaded', 'lost'],
    [404, 'not_found', 'refused'],
  ] as const)('that is answered with %i %s is %s', async (status, code, is) => {
    reply = () => Promise.resolve(refusal(status, code))
    open()
    await settle()
    expect(troubles).toMatchObject([{ is }])
    expect(peer.closed).toBe(true)
  })

  it('that is over the limit says which', async () => {
    const facts = { current: 30, limit: 30, bound: 'AGENCY', agency: 'METRO', offer: 'REDUCED' }
    reply = () => Promise.resolve(refusal(429, 'stream_limit_reached', facts))
    open()
    await settle()
    const [trouble] = troubles
    expect(trouble?.is === 'refused' && trouble.error).toBeInstanceOf(RefusedError)
    expect(trouble).toMatchObject({
      error: {
        limit: { current: 30, limit: 30, bound: 'AGENCY', agency: 'METRO', offersReduced: true },
      },
    })
  })

  it('that nobody answers is lost', async () => {
    reply = () => Promise.reject(new TypeError('network'))
    open()
    await settle()
    expect(troubles).toEqual([{ is: 'lost' }])
  })

  it('that answers with something else than the coordinator’s refusal is lost', async () => {
    reply = () => Promise.resolve(new Response('<html>', { status: 403 }))
    open()
    await settle()
    expect(troubles).toEqual([{ is: 'lost' }])
  })
})

describe('pictures', () => {
  const noon = Date.parse('2026-11-23T12:00:00Z')

  it('are as old as their RTP timestamp says', async () => {
    open()
    await settle()
    const rtpTimestamp = ((noon - 250) * 90) % 2 ** 32
    expect(source.wallOf({ mediaTime: 0, rtpTimestamp }, noon)).toBeCloseTo(noon - 250, 1)
    expect(source.wallOf({ mediaTime: 0 }, noon)).toBeUndefined()
    peer.synchronised = [{ timestamp: 1, rtpTimestamp }]
    expect(source.wallOf({ mediaTime: 0 }, noon)).toBeCloseTo(noon - 250, 1)
    expect(source.newest()?.rtpTimestamp).toBe(rtpTimestamp)
  })

  it('are counted', async () => {
    open()
    await settle()
    peer.stats = [
      { type: 'codec' },
      {
        type: 'inbound-rtp',
        framesDecoded: 50,
        framesDropped: 2,
        totalDecodeTime: 0.25,
        bytesReceived: 9_000,
      },
    ]
    expect(await source.counts()).toEqual({
      decoded: 50,
      dropped: 2,
      decodeTime: 250,
      bytes: 9_000,
    })
  })
})
