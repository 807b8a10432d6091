/** A clock that ticks once a second for everything on the page that shows an age. */
import { useSyncExternalStore } from 'react'

/**
 * Two readings of now. `wall` can jump when someone sets the clock; `monotonic` can stop while the
 * computer sleeps. An age is the larger of both differences, so that nothing old looks new.
 */
export type Now = Readonly<{ wall: number; monotonic: number }>

export const readNow = (): Now => ({ wall: Date.now(), monotonic: performance.now() })

let now = readNow()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = readNow()
    timer = setInterval(tick, 1000)
  }
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) clearInterval(timer)
  }
}

function tick(): void {
  now = readNow()
  for (const listener of listeners) listener()
}

export const useNow = (): Now => useSyncExternalStore(subscribe, () => now)

/** Milliseconds from one reading to another; never negative. */
export const elapsed = (since: Now, until: Now): number =>
  Math.max(0, until.wall - since.wall, until.monotonic - since.monotonic)
