import { useCallback, useState } from 'react'

/** Whether any of an element can be seen in the page, scrolled as it is. Going away counts after `grace` ms. */
export function useInView(
  grace: number,
): [ref: (element: Element | null) => (() => void) | undefined, inView: boolean] {
  const [inView, setInView] = useState(false)
  const ref = useCallback(
    (element: Element | null) => {
      if (!element) return undefined
      let timer: ReturnType<typeof setTimeout> | undefined
      const observer = new IntersectionObserver((entries) => {
        clearTimeout(timer)
        if (entries.at(-1)?.isIntersecting) setInView(true)
        else timer = setTimeout(() => setInView(false), grace)
      })
      observer.observe(element)
      return () => {
        clearTimeout(timer)
        observer.disconnect()
      }
    },
    [grace],
  )
  return [ref, inView]
}
