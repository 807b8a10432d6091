// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveDriver, type WayMemory } from './live-driver'
import type { LiveSourceEvents, OpenLiveSource } from './live-source'

const noon = Date.parse('2026-11-23T12:00:00Z')
const order = { camera: 'c', rendition: 'MAIN' } as const

type Opened = { way: string; events: LiveSourceEvents; closed: boolean }

/** As much of a `<video>` as the driver touches; its pictures say when they were taken. */
class FakeVideo {
  #tell: ((now: number, frame: { mediaTime: number }) => void) | undefined

  requestVideoFrameCallback(tell: (now: number, frame: { mediaTime: number }) => void) {
    this.#tell = tell
    return 1
  }

  cancelVideoFrameCallback() {
    this.#tell = undefined
  }

  show(frame: { mediaTime: number }) {
    this.#tell?.(0, frame)
  }
}

let video: FakeVideo
let opened: Opened[]
let memory: WayMemory
let expects: boolean
let driver: LiveDriver | undefined

const opener =
  (way: string): OpenLiveSource =>
  (_, __, events) => {
    const entry = { way, events, closed: false }
    opened.push(entry)
    return {
      wallOf: ({ mediaTime }) => mediaTime,
      newest: () => undefined,
      counts: () => Promise.resolve(undefined),
      close: () => (entry.closed = true),
    }
  }

function start(openWebRtc: OpenLiveSource | undefined = opener('webrtc')) {
  driver = new LiveDriver(
    video as unknown as HTMLVideoElement,
    order,
    {
      openWebRtc,
      openFragments: opener('fragments'),
      memory,
      wallNow: () => noon + performance.now(),
      expectsPictures: () => expects,
      chance: () => 0.5,
    },
    () => undefined,
  )
  return driver
}

const pass = (millis: number) => vi.advanceTimersByTimeAsync(millis)
/** A picture taken this long ago. */
const show = (age = 100) => video.show({ mediaTime: noon + performance.now() - age })
const state = () => driver!.snapshot.state
const last = () => opened.at(-1)!

beforeEach(() => {
  vi.useFakeTimers()
  video = new FakeVideo()
  opened = []
  memory = { blockedUntil: 0 }
  expects = true
})
afterEach(() => {
  driver?.close()
  vi.useRealTimers()
})

describe('live pictures', () => {
  it('come by WebRTC, and play with the first of them', () => {
    start()
    expect(last().way).toBe('webrtc')
    expect(state()).toEqual({ is: 'connecting', attempt: 0 })
    show()
    expect(state()).toEqual({ is: 'playing' })
    expect(driver!.wall).toBe(noon + performance.now() - 100)
  })

  it('that stop are stale within two seconds, and fetched anew', async () => {
    start()
    show()
    await pass(1_900)
    expect(state()).toEqual({ is: 'stale' })
    expect(driver!.age).toBe(2_000)
    await pass(5_000)
    expect(opened).toHaveLength(2)
    expect(opened[0]?.closed).toBe(true)
    show()
    expect(state()).toEqual({ is: 'playing' })
  })

  it('of a camera that has none are waited for, without asking again and again', async () => {
    start()
    show()
    expects = false
    await pass(120_000)
    expect(opened).toHaveLength(1)
    expect(state()).toEqual({ is: 'stale' })
    show()
    expect(state()).toEqual({ is: 'playing' })
  })

  it('come again after the connection was lost, less and less often', async () => {
    start()
    const times: number[] = []
    for (let count = 0; count < 8; count++) {
      const before = opened.length
      last().events.onTrouble({ is: 'lost' })
      const from = performance.now()
      while (opened.length === before) await pass(50)
      times.push(performance.now() - from)
    }
    expect(times).toEqual([300, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
    expect(state()).toEqual({ is: 'connecting', attempt: 8 })
    show()
    last().events.onTrouble({ is: 'lost' })
    await pass(300)
    expect(opened).toHaveLength(10)
  })

  it('go the other way when the codec does not fit, and say so', () => {
    start()
    last().events.onTrouble({ is: 'codec' })
    expect(last().way).toBe('fragments')
    expect(driver!.snapshot).toMatchObject({ way: 'FRAGMENTS', because: 'codec' })
    last().events.onTrouble({ is: 'codec' })
    expect(state()).toEqual({ is: 'unplayable' })
  })

  it('go the other way where WebRTC is blocked, and others need not try', () => {
    start()
    last().events.onTrouble({ is: 'blocked' })
    expect(last().way).toBe('fragments')
    driver?.close()
    start()
    expect(last().way).toBe('fragments')
    expect(driver!.snapshot.because).toBe('blocked')
    memory.blockedUntil = performance.now() - 1
    driver?.close()
    start()
    expect(last().way).toBe('webrtc')
  })

  it('go the other way where there is no WebRTC', () => {
    driver = new LiveDriver(
      video as unknown as HTMLVideoElement,
      order,
      {
        openWebRtc: undefined,
        openFragments: opener('fragments'),
        memory,
        wallNow: () => undefined,
        expectsPictures: () => true,
        chance: () => 0.5,
      },
      () => undefined,
    )
    expect(last().way).toBe('fragments')
    expect(driver.snapshot.because).toBe('missing')
  })

  it('that were refused are not asked for again by themselves', async () => {
    start()
    last().events.onTrouble({ is: 'refused', error: 'no' })
    await pass(600_000)
    expect(opened).toHaveLength(1)
    expect(state()).toEqual({ is: 'refused', error: 'no' })
    driver!.retry()
    expect(opened).toHaveLength(2)
  })

  it('of what was shown before say nothing', () => {
    start()
    const first = last()
    first.events.onTrouble({ is: 'codec' })
    first.events.onTrouble({ is: 'refused', error: 'late' })
    expect(state().is).toBe('connecting')
  })

  it('are nobody’s business after the end', async () => {
    start()
    driver!.close()
    expect(last().closed).toBe(true)
    await pass(60_000)
    expect(opened).toHaveLength(1)
  })
})
