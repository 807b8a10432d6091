// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RefusedError, UnreachableError } from '@/api/errors'
import { MINUTE, SECOND, type TimeRange } from '@/time/range'
import type { SourceEvents } from './hls-source'
import type { PlaylistPiece } from './playback-clock'
import { PlaybackDriver } from './playback-driver'

const noon = Date.parse('2026-11-23T12:00:00Z')

/** As much of a `<video>` as the driver touches. Pictures come when a test says so. */
class FakeVideo extends EventTarget {
  currentTime = 0
  playbackRate = 1
  defaultPlaybackRate = 1
  seeking = false
  paused = true
  #onFrame: ((now: number, frame: { mediaTime: number }) => void) | undefined

  play() {
    this.paused = false
    return Promise.resolve()
  }

  pause() {
    this.paused = true
  }

  requestVideoFrameCallback(callback: (now: number, frame: { mediaTime: number }) => void) {
    this.#onFrame = callback
    return 1
  }

  cancelVideoFrameCallback() {
    this.#onFrame = undefined
  }

  /** A picture comes on the screen. */
  show(mediaTime: number) {
    this.currentTime = mediaTime
    this.#onFrame?.(0, { mediaTime })
  }
}

type Order = TimeRange | 'live'

class Stage {
  readonly video = new FakeVideo()
  readonly orders: Order[] = []
  readonly starts: (number | undefined)[] = []
  recovered = 0
  closed = 0
  now = noon + 60 * MINUTE
  /** Where there is footage, in order. */
  footage: TimeRange[] = [{ from: noon - 60 * MINUTE, to: noon + 60 * MINUTE }]
  answer: () => Promise<{ playlist_url: string }> = () => Promise.resolve({ playlist_url: '/p' })
  events: SourceEvents | undefined
  readonly driver: PlaybackDriver

  constructor() {
    this.driver = new PlaybackDriver(this.video as unknown as HTMLVideoElement, {
      prepare: (order) => {
        this.orders.push(order)
        return this.answer()
      },
      openSource: (_, __, events) => {
        this.events = events
        return {
          start: (media) => this.starts.push(media),
          recover: () => this.recovered++,
          close: () => this.closed++,
        }
      },
      nextFootage: (at) => {
        const next = this.footage.find((range) => at < range.to)
        return next && Math.max(at, next.from)
      },
      now: () => this.now,
    })
  }

  get state() {
    return this.driver.snapshot().state
  }

  get lastOrder() {
    return this.orders.at(-1)
  }

  async seek(at: number) {
    this.driver.seek(at)
    await settle()
  }

  /** The playlist has these pieces, one after the other; given by their wall times. */
  playlist(...pieces: TimeRange[]) {
    let media = 0
    const list: PlaylistPiece[] = pieces.map(({ from, to }) => {
      const piece = { media, duration: (to - from) / 1000, wall: from }
      media += piece.duration
      return piece
    })
    this.events?.onPlaylist(list, false)
  }
}

const settle = () => vi.advanceTimersByTimeAsync(0)
const hour = { from: noon - 2 * MINUTE, to: noon + 30 * MINUTE }

let stage: Stage
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  })
  stage = new Stage()
})
afterEach(() => {
  stage.driver.close()
  vi.useRealTimers()
})

async function playing(at = noon) {
  await stage.seek(at)
  stage.playlist(hour)
  stage.video.show(120)
}

describe('a seek', () => {
  it('asks for a stretch around the instant and starts there', async () => {
    await stage.seek(noon)
    expect(stage.lastOrder).toEqual({ from: noon - 2 * MINUTE, to: noon + 30 * MINUTE })
    expect(stage.state.is).toBe('connecting')
    stage.playlist(hour)
    expect(stage.starts).toEqual([120])
    expect(stage.state.is).toBe('buffering')
    stage.video.show(120)
    expect(stage.state.is).toBe('playing')
    expect(stage.driver.picture()).toBe(noon)
  })

  it('inside the loaded stretch only moves the picture', async () => {
    await playing()
    await stage.seek(noon + MINUTE)
    expect(stage.orders).toHaveLength(1)
    expect(stage.video.currentTime).toBe(180)
    expect(stage.driver.snapshot().goingTo).toBe(noon + MINUTE)
    stage.video.show(180)
    expect(stage.driver.snapshot().goingTo).toBeUndefined()
    expect(stage.driver.picture()).toBe(noon + MINUTE)
  })

  it('outside it asks for another stretch', async () => {
    await playing()
    await stage.seek(noon - 30 * MINUTE)
    expect(stage.orders).toHaveLength(2)
    expect(stage.closed).toBe(1)
  })

  it('into a gap goes to the footage after it, and says so', async () => {
    stage.footage = [hour, { from: noon + 40 * MINUTE, to: noon + 50 * MINUTE }]
    await stage.seek(noon + 35 * MINUTE)
    expect(stage.lastOrder).toMatchObject({ from: noon + 38 * MINUTE })
    expect(stage.driver.snapshot().jump).toEqual({
      from: noon + 35 * MINUTE,
      to: noon + 40 * MINUTE,
    })
  })

  it('hears only the answer to what was asked last', async () => {
    const answers: ((playlist: { playlist_url: string }) => void)[] = []
    stage.answer = () => new Promise((resolve) => answers.push(resolve))
    await stage.seek(noon)
    await stage.seek(noon - 30 * MINUTE)
    answers[0]?.({ playlist_url: '/old' })
    await settle()
    expect(stage.events).toBeUndefined()
    answers[1]?.({ playlist_url: '/new' })
    await settle()
    expect(stage.events).toBeDefined()
  })
})

describe('a gap inside the stretch', () => {
  it('is stepped over by the picture, and said', async () => {
    await stage.seek(noon)
    stage.playlist(
      { from: noon, to: noon + 10 * SECOND },
      { from: noon + 70 * SECOND, to: noon + 80 * SECOND },
    )
    stage.video.show(0)
    stage.video.show(9.96)
    expect(stage.driver.snapshot().jump).toBeUndefined()
    stage.video.show(10)
    expect(stage.driver.picture()).toBe(noon + 70 * SECOND)
    expect(stage.driver.snapshot().jump).toEqual({ from: noon + 9_960, to: noon + 70 * SECOND })
  })
})

describe('the end of a stretch', () => {
  const end = async () => {
    stage.video.dispatchEvent(new Event('ended'))
    await settle()
  }

  it('goes on to the next', async () => {
    await playing()
    await end()
    expect(stage.orders).toHaveLength(2)
    expect(stage.lastOrder).toMatchObject({ from: noon + 28 * MINUTE })
    expect(stage.driver.snapshot().live).toBe(false)
  })

  it('goes on to the present when it is near', async () => {
    await playing()
    stage.now = hour.to + 10 * SECOND
    await end()
    expect(stage.lastOrder).toBe('live')
    expect(stage.driver.snapshot().rate).toBe(1)
  })

  it('is the end when nothing follows', async () => {
    stage.footage = [hour]
    await playing()
    await end()
    expect(stage.state.is).toBe('ended')
  })

  it('plays once more what ended when play is pressed', async () => {
    stage.footage = [hour]
    await playing()
    await end()
    stage.driver.play()
    await settle()
    expect(stage.orders).toHaveLength(2)
    expect(stage.state.is).toBe('connecting')
  })
})

describe('nothing to play', () => {
  it('is looked for a few stretches further, and not for ever', async () => {
    stage.footage = [{ from: noon - 600 * MINUTE, to: noon + 600 * MINUTE }]
    stage.now = noon + 900 * MINUTE
    await stage.seek(noon)
    for (let count = 0; count < 10; count++) {
      stage.playlist()
      await settle()
    }
    expect(stage.orders.length).toBeLessThanOrEqual(4)
    expect(stage.state).toEqual({ is: 'failed', reason: 'no_footage' })
  })
})

describe('a refusal', () => {
  it('is final, and kept for the person to read', async () => {
    const error = new RefusedError(403, 'forbidden', { en: 'No.', ar: 'لا.' }, 'c')
    stage.answer = () => Promise.reject(error)
    await stage.seek(noon)
    expect(stage.state).toEqual({ is: 'failed', reason: 'refused', error })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(stage.orders).toHaveLength(1)
  })
})

describe('silence', () => {
  beforeEach(() => {
    stage.answer = () => Promise.reject(new UnreachableError('no answer'))
  })

  it('is met a few times for a recording', async () => {
    await stage.seek(noon)
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    expect(stage.orders).toHaveLength(6)
    expect(stage.state).toMatchObject({ is: 'failed', reason: 'unreachable' })
  })

  it('is met for ever at the present, and not too often', async () => {
    stage.driver.goLive()
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    expect(stage.orders.length).toBeGreaterThan(50)
    expect(stage.orders.length).toBeLessThan(70)
  })

  it('ends where it began: at the picture last shown', async () => {
    stage.answer = () => Promise.resolve({ playlist_url: '/p' })
    await playing()
    stage.video.show(150)
    stage.events?.onTrouble({ kind: 'network', status: undefined })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(stage.lastOrder).toMatchObject({ from: noon + 30 * SECOND - 2 * MINUTE })
  })
})

describe('pictures that cannot be decoded', () => {
  it('are tried once more', async () => {
    await playing()
    stage.events?.onTrouble({ kind: 'media' })
    expect(stage.recovered).toBe(1)
    expect(stage.state.is).toBe('playing')
    stage.events?.onTrouble({ kind: 'media' })
    expect(stage.state).toMatchObject({ is: 'failed', reason: 'media' })
  })

  it('for want of a decoder are not tried again', async () => {
    await playing()
    stage.events?.onTrouble({ kind: 'codec' })
    await vi.advanceTimersByTimeAsync(MINUTE)
    expect(stage.state).toMatchObject({ is: 'failed', reason: 'codec' })
    expect(stage.orders).toHaveLength(1)
  })
})

describe('a picture that stops', () => {
  it('is said to have stalled, and fetched anew', async () => {
    await playing()
    await vi.advanceTimersByTimeAsync(2_500)
    expect(stage.state.is).toBe('stalled')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(stage.orders).toHaveLength(2)
  })

  it('stays when the person wants it to', async () => {
    await playing()
    stage.driver.pause()
    await vi.advanceTimersByTimeAsync(MINUTE)
    expect(stage.state.is).toBe('paused')
    expect(stage.orders).toHaveLength(1)
  })
})

describe('stepping', () => {
  it('moves by the length of a picture and stands still', async () => {
    await playing()
    stage.video.show(120.1)
    stage.driver.step(1)
    expect(stage.video.paused).toBe(true)
    expect(stage.video.currentTime).toBeCloseTo(120.25)
    stage.video.show(120.2)
    stage.driver.step(-1)
    expect(stage.video.currentTime).toBeCloseTo(120.15)
    expect(stage.state.is).toBe('paused')
  })

  it('counts pictures, not what was left out between two of them', async () => {
    await playing()
    for (const media of [120.1, 120.2, 120.3, 120.5]) stage.video.show(media)
    stage.driver.step(1)
    expect(stage.video.currentTime).toBeCloseTo(120.65)
  })

  it('reaches further when it finds the same picture again', async () => {
    // Twelve pictures a second, of which only one has been seen.
    await playing()
    stage.driver.step(1)
    expect(stage.video.currentTime).toBeCloseTo(120.06)
    stage.video.seeking = true
    await vi.advanceTimersByTimeAsync(500)
    expect(stage.video.currentTime, 'still on its way').toBeCloseTo(120.06)
    stage.video.seeking = false
    await vi.advanceTimersByTimeAsync(250)
    expect(stage.video.currentTime).toBeCloseTo(120.1)
    stage.video.show(120 + 1 / 12)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(stage.video.currentTime).toBeCloseTo(120 + 1 / 12)
  })
})

describe('live', () => {
  it('starts at the edge, at the speed of life, and comes back there from a pause', async () => {
    stage.driver.setRate(4)
    stage.driver.goLive()
    await settle()
    expect(stage.lastOrder).toBe('live')
    stage.playlist({ from: stage.now - 30 * SECOND, to: stage.now })
    expect(stage.starts).toEqual([undefined])
    expect(stage.video.playbackRate).toBe(1)
    stage.video.show(20)
    stage.driver.toggle()
    expect(stage.state.is).toBe('paused')
    stage.driver.toggle()
    await settle()
    expect(stage.orders).toEqual(['live', 'live'])
  })
})

describe('closing', () => {
  it('leaves nothing running', async () => {
    await playing()
    stage.driver.close()
    expect(stage.closed).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
