// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveChannel, STILL_EVERY, type ChannelOrder } from './live-channel'
import type { LiveDriver } from './live-driver'
import type { LiveState } from './live-state'
import type { LiveOrder } from './live-source'
import { VideoPool } from './video-pool'

/** A driver that does as it is told. */
class FakeDriver {
  state: LiveState = { is: 'connecting', attempt: 0 }
  closed = false
  retried = 0
  hasPicture = false
  age: number | undefined
  wall: number | undefined

  constructor(
    readonly video: HTMLVideoElement,
    readonly order: LiveOrder,
    readonly onChange: () => void,
  ) {}

  get snapshot() {
    return { state: this.state, way: 'WEBRTC', because: undefined }
  }

  counts() {
    return Promise.resolve(undefined)
  }

  retry() {
    this.retried++
  }

  close() {
    this.closed = true
  }

  become(state: LiveState) {
    this.state = state
    if (state.is === 'playing') {
      this.hasPicture = true
      this.age = 80
    }
    this.onChange()
  }
}

const playing: LiveState = { is: 'playing' }
const order = (parts: Partial<ChannelOrder> = {}): ChannelOrder => ({
  camera: 'a',
  rendition: 'SUB',
  still: false,
  ...parts,
})

let drivers: FakeDriver[]
let pool: VideoPool
let place: HTMLElement
let channel: LiveChannel
const open = () => drivers.filter((driver) => !driver.closed)
const last = () => drivers.at(-1)!
const state = () => channel.snapshot().state.is

beforeEach(() => {
  vi.useFakeTimers()
  Object.defineProperty(HTMLVideoElement.prototype, 'videoWidth', {
    value: 640,
    configurable: true,
  })
  Object.defineProperty(HTMLVideoElement.prototype, 'videoHeight', {
    value: 360,
    configurable: true,
  })
  HTMLCanvasElement.prototype.getContext = () => null
  drivers = []
  pool = new VideoPool()
  place = document.createElement('div')
  channel = new LiveChannel({
    pool,
    makeDriver: (video, what, _, onChange) => {
      const driver = new FakeDriver(video, what, onChange)
      drivers.push(driver)
      return driver as unknown as LiveDriver
    },
  })
  channel.attach(place)
})
afterEach(() => {
  channel.want(undefined)
  vi.useRealTimers()
})

describe('a place for live pictures', () => {
  it('shows what is wanted, and gives its element back', () => {
    channel.want(order())
    expect(state()).toBe('connecting')
    last().become(playing)
    expect(channel.snapshot()).toMatchObject({ state: playing, rendition: 'SUB' })
    expect(place.querySelectorAll('video')).toHaveLength(1)
    channel.want(undefined)
    expect(state()).toBe('idle')
    expect(open()).toEqual([])
    expect(pool.taken).toBe(0)
    expect(place.children).toHaveLength(0)
  })

  it('uses elements again', () => {
    channel.want(order())
    const { video } = last()
    channel.want(undefined)
    channel.want(order({ camera: 'b' }))
    expect(last().video).toBe(video)
  })

  it('does not begin anew for what it shows already', () => {
    channel.want(order())
    channel.want(order())
    expect(drivers).toHaveLength(1)
  })

  it('goes to another rendition when that has a picture, and not before', () => {
    channel.want(order())
    last().become(playing)
    const [first] = drivers
    channel.want(order({ rendition: 'MAIN' }))
    expect(open()).toHaveLength(2)
    expect(channel.snapshot()).toMatchObject({ state: playing, rendition: 'SUB' })
    last().become(playing)
    expect(first?.closed).toBe(true)
    expect(channel.snapshot()).toMatchObject({ state: playing, rendition: 'MAIN' })
    expect(pool.taken).toBe(1)
  })

  it('goes there at once where nothing is shown yet', () => {
    channel.want(order())
    channel.want(order({ rendition: 'MAIN' }))
    expect(open()).toHaveLength(1)
    expect(last().order.rendition).toBe('MAIN')
  })

  it('stays where it was when it is wanted back in between', () => {
    channel.want(order())
    last().become(playing)
    channel.want(order({ rendition: 'MAIN' }))
    channel.want(order())
    expect(open()).toEqual([drivers[0]])
  })

  it('keeps what it has when more is refused, says so, and asks again later', () => {
    channel.want(order())
    last().become(playing)
    channel.want(order({ rendition: 'MAIN' }))
    last().become({ is: 'refused', error: 'full' })
    expect(channel.snapshot()).toMatchObject({ state: playing, rendition: 'SUB', refusal: 'full' })
    expect(open()).toHaveLength(1)
    vi.advanceTimersByTime(31_000)
    expect(open()).toHaveLength(2)
    expect(channel.snapshot().refusal).toBeUndefined()
  })

  it('shows nothing of one camera for another', () => {
    channel.want(order())
    last().become(playing)
    channel.want(order({ camera: 'b' }))
    expect(open()).toHaveLength(1)
    expect(state()).toBe('connecting')
  })

  it('is muted or not, whichever element plays', () => {
    channel.want(order())
    last().become(playing)
    channel.setMuted(false)
    expect(last().video.muted).toBe(false)
    channel.want(order({ rendition: 'MAIN' }))
    expect(last().video.muted).toBe(true)
    last().become(playing)
    expect(last().video.muted).toBe(false)
    const { video } = last()
    channel.want(undefined)
    expect(video.muted).toBe(true)
  })
})

describe('a still', () => {
  it('is taken of what runs, which ends', () => {
    channel.want(order())
    last().become(playing)
    channel.want(order({ still: true }))
    expect(state()).toBe('still')
    expect(open()).toEqual([])
    expect(place.querySelectorAll('canvas')).toHaveLength(1)
    vi.advanceTimersByTime(3_000)
    expect(channel.age).toBe(3_080)
  })

  it('is taken anew now and then, and the old one stays until then', () => {
    channel.want(order({ still: true }))
    last().become(playing)
    expect(state()).toBe('still')
    vi.advanceTimersByTime(STILL_EVERY)
    expect(open()).toHaveLength(1)
    expect(state()).toBe('still')
    expect(channel.age).toBe(STILL_EVERY + 80)
    last().become(playing)
    expect(channel.age).toBe(80)
    expect(place.querySelectorAll('canvas')).toHaveLength(1)
  })

  it('goes when there are moving pictures again', () => {
    channel.want(order({ still: true }))
    last().become(playing)
    channel.want(order())
    expect(state()).toBe('still')
    last().become(playing)
    expect(state()).toBe('playing')
    expect(place.querySelectorAll('canvas')).toHaveLength(0)
    vi.advanceTimersByTime(STILL_EVERY * 3)
    expect(drivers).toHaveLength(2)
  })
})
