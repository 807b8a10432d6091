import { useCallback, useState } from 'react'

/** Turns true when the element first comes near the visible part of the page, and stays so. */
export function useSeenOnce(): [
  ref: (element: Element | null) => (() => void) | undefined,
  seen: boolean,
] {
  const [seen, setSeen] = useState(false)
  const ref = useCallback((element: Element | null) => {
    if (!element) return undefined
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return
        setSeen(true)
        observer.disconnect()
      },
      { rootMargin: '200px' },
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [ref, seen]
}
