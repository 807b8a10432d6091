import { useEffect, useRef, useState } from 'react'
import { DecodeBudget } from './decode-budget'
import type { DecodeMeter } from './decode-meter'

/** How often it is measured; in ms. */
const EVERY = 2_000

/** How many steps down this computer was measured to need, of at most `most`. */
export function useDecodeBudget(meter: DecodeMeter, most: number): number {
  const [steps, setSteps] = useState(0)
  const latest = useRef(most)
  useEffect(() => {
    latest.current = most
  })
  useEffect(() => {
    const budget = new DecodeBudget(navigator.hardwareConcurrency)
    let stopped = false
    let due = performance.now() + EVERY
    const timer = setInterval(() => {
      const now = performance.now()
      const late = Math.max(0, now - due)
      due = now + EVERY
      // A hidden page's timers are slowed down, which is no strain.
      if (document.visibilityState !== 'visible') return
      void meter.measure(now, late).then((measurement) => {
        if (!stopped) setSteps(budget.measured(measurement, latest.current, now))
      })
    }, EVERY)
    return () => {
      stopped = true
      clearInterval(timer)
    }
  }, [meter])
  return steps
}
