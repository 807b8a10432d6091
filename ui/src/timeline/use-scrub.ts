import { useEffect, useRef, useState } from 'react'

/** Keys held down move the cursor; the player follows when they rest this long; in ms. */
const SETTLES_AFTER = 220

export type Scrub = Readonly<{
  /** Where the cursor is being moved; `undefined` when it follows the picture. */
  draft: number | undefined
  /** Moves the cursor; the player follows a moment later. */
  nudge: (at: number) => void
  /** Moves the cursor; the player follows on `release`. */
  drag: (at: number) => void
  release: () => void
}>

/** A cursor that may be moved faster than footage can be found. */
export function useScrub(onSeek: (at: number) => void): Scrub {
  const [draft, setDraft] = useState<number>()
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const settle = (at: number) => {
    setDraft(undefined)
    onSeek(at)
  }
  return {
    draft,
    nudge: (at) => {
      setDraft(at)
      clearTimeout(timer.current)
      timer.current = setTimeout(() => settle(at), SETTLES_AFTER)
    },
    drag: (at) => {
      clearTimeout(timer.current)
      setDraft(at)
    },
    release: () => {
      if (draft !== undefined) settle(draft)
    },
  }
}
