import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { serverClock } from '@/api/server-clock'
import {
  LiveChannel,
  type ChannelOrder,
  type ChannelSnapshot,
  type MakeDriver,
} from './live-channel'
import { LiveDriver, type WayMemory } from './live-driver'
import { openMse } from './mse-driver'
import { videoPool } from './video-pool'
import { openWhep } from './whep'

/** Of all pictures of this page. */
const memory: WayMemory = { blockedUntil: 0 }

const hasWebRtc = () => 'RTCPeerConnection' in globalThis

const makeDriver: MakeDriver = (video, order, expectsPictures, onChange) =>
  new LiveDriver(
    video,
    order,
    {
      openWebRtc: hasWebRtc() ? openWhep : undefined,
      openFragments: openMse,
      memory,
      wallNow: () => serverClock.now(performance.now()),
      expectsPictures,
      chance: Math.random,
    },
    onChange,
  )

export type Live = Readonly<{
  channel: LiveChannel
  shown: ChannelSnapshot
  /** For the element that the pictures go into. */
  placeRef: (element: HTMLElement | null) => (() => void) | undefined
}>

/**
 * Live pictures for as long as the component is on the page. `expectsPictures` tells whether the
 * camera is believed to have any, so that one that has none is not asked again and again.
 */
export function useLive(order: ChannelOrder | undefined, expectsPictures: boolean): Live {
  const [channel] = useState(() => new LiveChannel({ pool: videoPool, makeDriver }))
  useEffect(() => {
    channel.expect(expectsPictures)
  }, [channel, expectsPictures])
  const { camera, rendition, still } = order ?? {}
  useEffect(() => {
    const wanted = camera !== undefined && rendition !== undefined && still !== undefined
    channel.want(wanted ? { camera, rendition, still } : undefined)
  }, [channel, camera, rendition, still])
  useEffect(() => () => channel.want(undefined), [channel])
  const placeRef = useCallback(
    (element: HTMLElement | null) => (element ? channel.attach(element) : undefined),
    [channel],
  )
  const shown = useSyncExternalStore(channel.subscribe, channel.snapshot)
  return { channel, shown, placeRef }
}
