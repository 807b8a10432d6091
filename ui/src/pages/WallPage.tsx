import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { errorSentence } from '@/api/errors'
import { camerasQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { useWallStore } from '@/stores/wall'
import { IconButton } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { Notice } from '@/ui/Notice'
import {
  fill,
  MOST_SEATS,
  nextFor,
  pageOf,
  pages,
  places,
  put,
  withPage,
  type Seats,
} from '@/wall/arrange'
import { siteFolders } from '@/wall/camera-tree'
import { CameraTree } from '@/wall/CameraTree'
import { LayoutPicker } from '@/wall/LayoutPicker'
import { QuotaBars } from '@/wall/QuotaBars'
import { TourPicker } from '@/wall/TourPicker'
import { useTour } from '@/wall/use-tour'
import { useWall } from '@/wall/use-wall'
import { Wall } from '@/wall/Wall'
import { Waiting } from './Waiting'
import styles from './WallPage.module.css'

export function WallPage() {
  const text = useText()
  const language = useLanguage()
  const format = useFormat()
  const { data: cameras, error } = useQuery(camerasQuery)
  const { panel, setPanel } = useWallStore()
  const { show } = useToasts()
  const { layout, seats: all, enlarged, tour, setLayout, setSeats: setAll, ...wall } = useWall()
  const frame = useRef<HTMLDivElement>(null)
  const field = useRef<HTMLInputElement | null>(null)
  /** The tile that the next camera is chosen for. */
  const [choosing, setChoosing] = useState<number>()
  useTitle(text('common.nav.wall'), text('common.product'))
  const isFull = useIsFullScreen()

  const size = layout.cells.length
  const count = pages(all, size)
  const page = useTour(count, tour, enlarged !== undefined || choosing !== undefined)
  // Without a tour there is one page, and what has no tile on it is kept for a larger layout.
  const seats = tour === undefined ? all : pageOf(all, size, page)
  const setSeats = (now: Seats) => setAll(tour === undefined ? now : withPage(all, size, page, now))
  const onWall = new Set(places(seats, size).filter((id) => id !== undefined))
  const add = (ids: readonly string[]) => {
    const [only] = ids
    if (ids.length === 1 && only && choosing !== undefined) {
      setSeats(put(seats, choosing, only))
      setChoosing(undefined)
      return
    }
    const room = tour === undefined ? size : MOST_SEATS
    const filled = fill(all, room, ids)
    const left = ids.filter((id) => nextFor(filled, room, id) === undefined).length
    setAll(filled)
    if (left > 0) show('failed', text('wall.full', { count: left }))
  }
  const choose = (index: number) => {
    setChoosing(index)
    setPanel(true)
    // The panel may have to come first.
    requestAnimationFrame(() => field.current?.focus())
  }
  return (
    <div ref={frame} className={styles.page}>
      <div className={styles.bar}>
        <h1 className={styles.title}>{text('common.nav.wall')}</h1>
        <IconButton
          icon="camera"
          look="ghost"
          align="start"
          pressed={panel}
          aria-label={text('wall.panel')}
          onClick={() => setPanel(!panel)}
        />
        <LayoutPicker layout={layout.id} onLayout={setLayout} />
        <TourPicker tour={tour} page={page} pages={count} onTour={wall.setTour} />
        <span className={styles.space} />
        <IconButton
          icon="trash"
          look="ghost"
          align="end"
          aria-label={text('wall.clear')}
          disabledReason={all.length === 0 ? text('wall.isEmpty') : undefined}
          onClick={() => setAll([])}
        />
        <IconButton
          icon={isFull ? 'shrink' : 'expand'}
          look="ghost"
          align="end"
          aria-label={text(isFull ? 'wall.leaveFullScreen' : 'player.fullScreen')}
          onClick={() => toggleFullScreen(frame.current)}
        />
      </div>
      <div className={styles.body}>
        {panel && cameras && (
          <aside className={styles.panel} aria-label={text('wall.panel')}>
            <CameraTree
              folders={siteFolders(cameras.value, format.compare)}
              cameras={cameras}
              onWall={onWall}
              searchRef={(element) => {
                field.current = element
              }}
              onAdd={add}
            />
            <QuotaBars />
          </aside>
        )}
        {!cameras && error && <Notice tone="bad">{errorSentence(error, language, text)}</Notice>}
        {!cameras && !error && <Waiting />}
        {cameras?.value.length === 0 && (
          <EmptyState icon="camera" title={text('cameras.noneForYou.title')}>
            {text('cameras.noneForYou.text')}
          </EmptyState>
        )}
        {cameras && cameras.value.length > 0 && (
          <Wall
            layout={layout}
            seats={seats}
            cameras={cameras}
            enlarged={enlarged}
            onSeats={setSeats}
            onEnlarge={wall.enlarge}
            onFullScreen={() => toggleFullScreen(frame.current)}
            onChoose={choose}
          />
        )}
      </div>
    </div>
  )
}

function useIsFullScreen(): boolean {
  const [isFull, setIsFull] = useState(false)
  useEffect(() => {
    const look = () => setIsFull(document.fullscreenElement !== null)
    document.addEventListener('fullscreenchange', look)
    return () => document.removeEventListener('fullscreenchange', look)
  }, [])
  return isFull
}

function toggleFullScreen(element: HTMLElement | null): void {
  const done = document.fullscreenElement ? document.exitFullscreen() : element?.requestFullscreen()
  // Refused by the browser's settings: nothing to do about it, and nothing lost.
  done?.catch(() => undefined)
}
