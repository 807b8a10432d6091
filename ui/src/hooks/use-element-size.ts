import { useCallback, useState } from 'react'

export type Size = Readonly<{ width: number; height: number }>

const NOTHING: Size = { width: 0, height: 0 }

/** Size of an element in CSS pixels, kept up to date; nothing until it is on the page. */
export function useElementSize(): [
  ref: (element: Element | null) => (() => void) | undefined,
  size: Size,
] {
  const [size, setSize] = useState(NOTHING)
  const ref = useCallback((element: Element | null) => {
    if (!element) return undefined
    const observer = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {}
      setSize((before) =>
        before.width === width && before.height === height ? before : { width, height },
      )
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [ref, size]
}

/** Its width alone. */
export function useElementWidth(): [
  ref: (element: Element | null) => (() => void) | undefined,
  width: number,
] {
  const [ref, { width }] = useElementSize()
  return [ref, width]
}
