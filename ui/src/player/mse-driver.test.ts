// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RefusedError } from '@/api/errors'
import type { Down } from './live-state'
import type { Trouble } from './live-source'
import { MseSource } from './mse-driver'

const noon = Date.parse('2026-11-23T12:00:00Z')
const MIME = 'video/mp4; codecs="hvc1.1.6.L93.B0"'

class FakeBuffer extends EventTarget {
  mode = 'segments'
  updating = false
  /** What was appended, each with its length in seconds; the initialisation has none. */
  readonly appended: string[] = []
  readonly types: string[] = []
  end = 0
  start = 0

  get buffered() {
    return {
      length: this.end > 0 ? 1 : 0,
      start: () => this.start,
      end: () => this.end,
    }
  }

  appendBuffer(bytes: ArrayBuffer) {
    this.updating = true
    this.appended.push(new TextDecoder().decode(bytes))
  }

  remove(_: number, until: number) {
    this.updating = true
    this.start = until
  }

  changeType(mime: string) {
    this.types.push(mime)
  }

  /** What is being done is done. */
  done(seconds = 0) {
    this.updating = false
    this.end += seconds
    this.dispatchEvent(new Event('updateend'))
  }
}

class FakeMedia extends EventTarget {
  readyState = 'closed'
  readonly buffer = new FakeBuffer()

  addSourceBuffer(mime: string) {
    this.buffer.types.push(mime)
    return this.buffer
  }

  open() {
    this.readyState = 'open'
    this.dispatchEvent(new Event('sourceopen'))
  }
}

class FakeSocket extends EventTarget {
  binaryType = ''
  closed = false

  close() {
    this.closed = true
  }

  say(message: object) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }))
  }

  bytes(text: string) {
    const { buffer } = Uint8Array.from(text, (letter) => letter.charCodeAt(0))
    this.dispatchEvent(new MessageEvent('message', { data: buffer }))
  }

  init(text = 'init', mime = MIME) {
    this.say({ type: 'INIT', mime, timescale: 90_000 })
    this.bytes(text)
  }

  fragment(text: string, after: number, sync = true) {
    this.say({ type: 'FRAGMENT', wall: new Date(noon + after).toISOString(), sync })
    this.bytes(text)
  }

  hangUp(code: number) {
    this.dispatchEvent(new CloseEvent('close', { code }))
  }
}

const refusal = new RefusedError(429, 'stream_limit_reached', { en: 'No.', ar: 'لا.' }, '1')

let video: HTMLVideoElement
let media: FakeMedia
let socket: FakeSocket
let troubles: Trouble[]
let downs: Down[]
let refused: RefusedError | undefined
let source: MseSource
const settle = () => new Promise((resolve) => setTimeout(resolve))

function open({ has = true, plays = true } = {}) {
  source = new MseSource(
    video,
    { camera: 'c', rendition: 'SUB' },
    { onTrouble: (trouble) => troubles.push(trouble), onDown: (down) => downs.push(down) },
    {
      connect: () => socket as unknown as WebSocket,
      createMediaSource: () => (has ? (media as unknown as MediaSource) : undefined),
      plays: () => plays,
      viewRefusal: () => Promise.resolve(refused),
      limitRefusal: () => Promise.resolve(refused),
    },
  )
}

beforeEach(() => {
  URL.createObjectURL = () => 'blob:it'
  URL.revokeObjectURL = () => undefined
  HTMLMediaElement.prototype.load = () => undefined
  HTMLMediaElement.prototype.play = () => Promise.resolve()
  video = document.createElement('video')
  media = new FakeMedia()
  socket = new FakeSocket()
  troubles = []
  downs = []
  refused = undefined
})
afterEach(() => {
  source.close()
  vi.restoreAllMocks()
})

describe('fragments', () => {
  it('are put one behind the other, one at a time, and know when they were taken', () => {
    open()
    socket.init()
    socket.fragment('a', 0)
    expect(media.buffer.appended).toEqual([])
    media.open()
    expect(media.buffer.appended).toEqual(['init'])
    expect(media.buffer.mode).toBe('sequence')
    media.buffer.done()
    media.buffer.done(0.5)
    // Two seconds were left out between them.
    socket.fragment('b', 2_500)
    media.buffer.done(0.5)
    expect(media.buffer.appended).toEqual(['init', 'a', 'b'])
    expect(source.wallOf({ mediaTime: 0.2 })).toBe(noon + 200)
    expect(source.wallOf({ mediaTime: 0.7 })).toBe(noon + 2_700)
  })

  it('are shown near the newest, and what was shown is thrown away', () => {
    open()
    socket.init()
    media.open()
    media.buffer.done()
    socket.fragment('a', 0)
    media.buffer.done(0.2)
    for (let count = 1; count < 20; count++) {
      socket.fragment('b', count * 200)
      media.buffer.done(0.2)
    }
    expect(video.currentTime).toBeGreaterThan(2)
    video.currentTime = 20
    media.buffer.end = 20.1
    socket.fragment('c', 4_000)
    expect(media.buffer.start).toBe(16)
  })

  it('that the decoder does not take are let go, up to a key frame', () => {
    open()
    socket.init()
    media.open()
    for (let count = 0; count < 300; count++) socket.fragment(`d${count}`, count * 40, false)
    socket.fragment('key', 12_000, true)
    media.buffer.done()
    media.buffer.done(0.04)
    expect(media.buffer.appended.length).toBeLessThan(5)
    expect(media.buffer.appended.at(-1)).toBe('key')
  })

  it('of another kind follow in the same picture', () => {
    open()
    socket.init()
    media.open()
    media.buffer.done()
    socket.init('again', 'video/mp4; codecs="avc1.4d401f"')
    expect(media.buffer.types).toEqual([MIME, 'video/mp4; codecs="avc1.4d401f"'])
    expect(media.buffer.appended).toEqual(['init', 'again'])
  })

  it('that nobody announced are not looked at', () => {
    open()
    media.open()
    socket.bytes('what is this')
    socket.dispatchEvent(new MessageEvent('message', { data: '{"type":' }))
    socket.say([1, 2] as never)
    expect(media.buffer.appended).toEqual([])
    expect(troubles).toEqual([])
  })
})

describe('what is wrong', () => {
  it('is the codec, where the browser cannot show it in any way', async () => {
    open({ has: false })
    await settle()
    expect(troubles).toEqual([{ is: 'codec' }])
    open({ plays: false })
    socket.init()
    expect(troubles[1]).toEqual({ is: 'codec' })
  })

  it('is the camera, when the coordinator says so', () => {
    open()
    socket.say({
      type: 'DOWN',
      reason: 'camera_unreachable',
      since: '2026-11-23T12:00:00Z',
      message_en: 'The camera could not be reached.',
      message_ar: 'تعذّر الوصول إلى الكاميرا.',
    })
    expect(downs).toEqual([
      {
        since: noon,
        sentences: { en: 'The camera could not be reached.', ar: 'تعذّر الوصول إلى الكاميرا.' },
      },
    ])
    expect(troubles).toEqual([])
  })

  it.each([4401, 4404, 4429])('is a refusal with its words after %i', async (code) => {
    refused = refusal
    open()
    socket.hangUp(code)
    await settle()
    expect(troubles).toEqual([{ is: 'refused', error: refusal }])
  })

  it.each([1001, 1006, 1013, 4429])('is nothing that lasts after %i alone', async (code) => {
    open()
    socket.hangUp(code)
    await settle()
    expect(troubles).toEqual([{ is: 'lost' }])
  })

  it('is nobody’s business after the end', async () => {
    open()
    source.close()
    expect(socket.closed).toBe(true)
    expect(video.hasAttribute('src')).toBe(false)
    socket.hangUp(1006)
    await settle()
    expect(troubles).toEqual([])
  })
})
