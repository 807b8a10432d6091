import { useEffect, useState } from 'react'

/** Which page of a tour is shown: the next one every `seconds`, unless it rests. */
export function useTour(pages: number, seconds: number | undefined, rests: boolean): number {
  const [page, setPage] = useState(0)
  const runs = seconds !== undefined && !rests
  useEffect(() => {
    if (!runs) return undefined
    const timer = setInterval(() => setPage((before) => before + 1), seconds * 1000)
    return () => clearInterval(timer)
  }, [runs, seconds])
  return seconds === undefined ? 0 : page % pages
}
