import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { openHlsSource } from './hls-source'
import { PlaybackDriver, type PlaybackDeps, type PlayerSnapshot } from './playback-driver'

const IDLE: PlayerSnapshot = {
  state: { is: 'idle' },
  wantsToPlay: true,
  live: true,
  goingTo: undefined,
  rate: 1,
  jump: undefined,
}

export type PlaybackSources = Omit<PlaybackDeps, 'openSource'>

/**
 * A driver for as long as its `<video>` is on the page. What the driver asks for is looked up when
 * it asks, so `sources` may change at any time.
 */
export function usePlaybackDriver(sources: PlaybackSources) {
  const latest = useRef(sources)
  useEffect(() => {
    latest.current = sources
  })
  const [driver, setDriver] = useState<PlaybackDriver>()
  const videoRef = useCallback((video: HTMLVideoElement | null) => {
    if (!video) return undefined
    const made = new PlaybackDriver(video, {
      prepare: (order) => latest.current.prepare(order),
      nextFootage: (at) => latest.current.nextFootage(at),
      now: () => latest.current.now(),
      openSource: openHlsSource,
    })
    setDriver(made)
    return () => {
      made.close()
      setDriver(undefined)
    }
  }, [])
  return { driver, videoRef }
}

/** What the driver is doing. */
export function usePlayback(driver: PlaybackDriver | undefined): PlayerSnapshot {
  return useSyncExternalStore(driver?.subscribe ?? never, driver?.snapshot ?? idle)
}

/** When the shown picture was taken; renders with every picture, so use it low in the tree. */
export function usePicture(driver: PlaybackDriver | undefined): number | undefined {
  return useSyncExternalStore(driver?.subscribePicture ?? never, driver?.picture ?? none)
}

/** The same, but only when its `grain` (in ms) changes. */
export function useCoarsePicture(
  driver: PlaybackDriver | undefined,
  grain: number,
): number | undefined {
  const coarse = () => {
    const at = driver?.picture()
    return at === undefined ? undefined : Math.floor(at / grain) * grain
  }
  return useSyncExternalStore(driver?.subscribePicture ?? never, coarse)
}

const never = () => () => undefined
const idle = () => IDLE
const none = () => undefined
