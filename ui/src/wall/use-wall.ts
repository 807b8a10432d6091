import { useEffect, useMemo } from 'react'
import { useSearchParams } from 'react-router'
import { useWallStore } from '@/stores/wall'
import { readSeats, writeSeats, type Seats } from './arrange'
import { isLayoutId, layoutOf, type Layout, type LayoutId } from './grid'

/** In seconds. */
export const TOURS: readonly number[] = [5, 10, 20, 60]

export const FIRST_LAYOUT: LayoutId = '3x3'

export type WallView = Readonly<{
  layout: Layout
  seats: Seats
  /** The tile that fills the wall for now. */
  enlarged: number | undefined
  /** How long each page of a tour is shown, in seconds. */
  tour: number | undefined
}>

export type WallActions = Readonly<{
  setLayout: (id: LayoutId) => void
  setSeats: (seats: Seats) => void
  enlarge: (index: number | undefined) => void
  setTour: (seconds: number | undefined) => void
}>

/** What the wall's address says, and how to change it. */
export function useWall(): WallView & WallActions {
  const [search, setSearch] = useSearchParams()
  const { last, remember } = useWallStore()
  const isBare = !search.has('layout')
  useEffect(() => {
    // An address without anything is the way back to what one had.
    if (isBare && last) setSearch(new URLSearchParams(last), { replace: true })
    else if (!isBare) remember(search.toString())
  }, [isBare, last, search, setSearch, remember])
  const [id, tiles] = [search.get('layout'), search.get('tiles')]
  const [large, tour] = [search.get('large'), search.get('tour')]
  const view = useMemo(() => readWall(id, tiles, large, tour), [id, tiles, large, tour])
  const actions = useMemo((): WallActions => {
    const set = (change: (next: URLSearchParams) => void) =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before)
          if (!isLayoutId(next.get('layout'))) next.set('layout', FIRST_LAYOUT)
          change(next)
          return next
        },
        { replace: true },
      )
    return {
      setLayout: (layout) =>
        set((next) => {
          next.set('layout', layout)
          next.delete('large')
        }),
      setSeats: (seats) => set((next) => next.set('tiles', writeSeats(seats))),
      enlarge: (index) =>
        set((next) => {
          if (index === undefined) next.delete('large')
          else next.set('large', String(index + 1))
        }),
      setTour: (seconds) =>
        set((next) => {
          next.delete('large')
          if (seconds === undefined) next.delete('tour')
          else next.set('tour', String(seconds))
        }),
    }
  }, [setSearch])
  return { ...view, ...actions }
}

/** Read from an address, which anybody may have written. */
function readWall(
  id: string | null,
  tiles: string | null,
  large: string | null,
  tour: string | null,
): WallView {
  const layout = layoutOf(isLayoutId(id) ? id : FIRST_LAYOUT)
  const index = Number(large) - 1
  const fits = large !== null && Number.isInteger(index) && index in layout.cells
  return {
    layout,
    seats: readSeats(tiles),
    enlarged: fits ? index : undefined,
    tour: TOURS.find((seconds) => String(seconds) === tour),
  }
}
