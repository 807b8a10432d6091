import { useEffect, useState } from 'react'

/** Whether the page can be seen; going away counts only after `grace` ms, so that a glance elsewhere costs nothing. */
export function usePageVisible(grace: number): boolean {
  const [visible, setVisible] = useState(true)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = () => {
      clearTimeout(timer)
      if (document.visibilityState === 'visible') setVisible(true)
      else timer = setTimeout(() => setVisible(false), grace)
    }
    look()
    document.addEventListener('visibilitychange', look)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [grace])
  return visible
}
