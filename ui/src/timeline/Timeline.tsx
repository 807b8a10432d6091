import {
  useEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
} from 'react'
import { useElementWidth } from '@/hooks/use-element-size'
import { useLanguage, useText } from '@/i18n/use-text'
import type { Format } from '@/i18n/format'
import { clampTime, SECOND, type TimeRange } from '@/time/range'
import { lookOf, neighbourLoss, piecesOf, stretchAt, type Coverage } from './coverage'
import { TIMELINE_DIRECTION } from './direction'
import { LanePieces } from './LanePieces'
import { LOOK_LABELS, sentenceOf } from './looks'
import { Overview } from './Overview'
import { Ruler } from './Ruler'
import { centredOn, keyStep, offsetOf, shifted, timeAt, zoomed, type Scale } from './scale'
import { StretchCard } from './StretchCard'
import { commandFor, type TimelineCommand } from './timeline-keys'
import styles from './Timeline.module.css'
import { useScrub } from './use-scrub'

type Props = Readonly<{
  /** The day. */
  bounds: TimeRange
  view: TimeRange
  coverage: Coverage
  /** When the shown picture was taken. */
  position: number | undefined
  /** The present; nothing after it can have been recorded. */
  now: number
  format: Format
  onView: (view: TimeRange) => void
  onSeek: (at: number) => void
}>

const LANE_HEIGHT = 44

/** A day of one camera: what there is, what is missing, and where we are. */
export function Timeline(props: Props) {
  const { bounds, view, coverage, position, now, format, onView, onSeek } = props
  const text = useText()
  const language = useLanguage()
  const [measure, width] = useElementWidth()
  const [hovered, setHovered] = useState<number>()
  const scrub = useScrub(onSeek)
  const scale: Scale = { range: view, width, direction: TIMELINE_DIRECTION }
  const cursor = scrub.draft ?? position
  const latest = clampTime(now, bounds)
  const wheelRef = useWheel(scale, bounds, onView)

  const stretch = cursor === undefined ? undefined : stretchAt(coverage, cursor)
  const said = stretch && [text(LOOK_LABELS[lookOf(stretch)]), sentenceOf(stretch, language)]
  const valueText =
    cursor === undefined
      ? text('timeline.nowhere')
      : [format.time(cursor), ...(said ?? [])].filter(Boolean).join(', ')

  const obey = (command: TimelineCommand) => {
    const from = clampTime(cursor ?? latest, bounds)
    const go = (at: number) => {
      const there = clampTime(at, { from: bounds.from, to: latest })
      if (there < view.from || there > view.to) onView(centredOn(view, there, bounds))
      scrub.nudge(there)
    }
    switch (command.do) {
      case 'move': {
        go(from + command.steps * keyStep(view))
        return
      }
      case 'start': {
        go(view.from)
        return
      }
      case 'end': {
        go(view.to)
        return
      }
      case 'zoom': {
        onView(zoomed(view, command.factor, from, bounds))
        return
      }
      case 'all': {
        onView(bounds)
        return
      }
      case 'loss': {
        const loss = neighbourLoss(coverage, from, command.way)
        // Just before a gap there is a picture of what led to it.
        if (loss) go(command.way === 'forward' ? loss.from - SECOND : loss.from - 2 * SECOND)
      }
    }
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const command = commandFor(event)
    if (!command) return
    event.preventDefault()
    obey(command)
  }
  const timeUnder = (event: PointerEvent<HTMLElement>) =>
    clampTime(timeAt(scale, event.clientX - event.currentTarget.getBoundingClientRect().left), {
      from: bounds.from,
      to: latest,
    })

  return (
    <div className={styles.timeline} dir={TIMELINE_DIRECTION}>
      <Overview
        bounds={bounds}
        view={view}
        coverage={coverage}
        position={position}
        onCentre={(at) => onView(centredOn(view, at, bounds))}
      />
      <div ref={measure} className={styles.stage}>
        <Pan scale={scale} bounds={bounds} onView={onView}>
          <Ruler scale={scale} origin={bounds.from} format={format} />
        </Pan>
        <div
          ref={wheelRef}
          className={styles.lane}
          role="slider"
          tabIndex={0}
          aria-label={text('timeline.label')}
          aria-valuemin={0}
          aria-valuemax={Math.round((bounds.to - bounds.from) / SECOND)}
          aria-valuenow={Math.round(((cursor ?? bounds.from) - bounds.from) / SECOND)}
          aria-valuetext={valueText}
          onKeyDown={onKeyDown}
          onPointerDown={(event) => {
            if (event.button !== 0) return
            event.currentTarget.setPointerCapture(event.pointerId)
            scrub.drag(timeUnder(event))
          }}
          onPointerMove={(event) => {
            const at = timeUnder(event)
            setHovered(at)
            if (event.currentTarget.hasPointerCapture(event.pointerId)) scrub.drag(at)
          }}
          onPointerUp={scrub.release}
          onPointerLeave={() => setHovered(undefined)}
        >
          <svg className={styles.pieces} width={width} height={LANE_HEIGHT} aria-hidden="true">
            <LanePieces pieces={piecesOf(coverage, scale)} height={LANE_HEIGHT} />
          </svg>
          <Mark scale={scale} at={latest} kind="now" />
          <Mark scale={scale} at={hovered} kind="hovered" />
          <Mark scale={scale} at={cursor} kind="playhead" />
        </div>
        {hovered !== undefined && (
          <StretchCard
            at={hovered}
            stretch={stretchAt(coverage, hovered)}
            offset={offsetOf(scale, hovered)}
            width={width}
            format={format}
          />
        )}
      </div>
    </div>
  )
}

type MarkProps = Readonly<{
  scale: Scale
  at: number | undefined
  kind: 'now' | 'hovered' | 'playhead'
}>

/** A vertical line at an instant, when it is in view. */
function Mark({ scale, at, kind }: MarkProps) {
  if (at === undefined || at < scale.range.from || at > scale.range.to) return null
  // Picture coordinates: the lane does not turn with the page.
  return <span className={styles[kind]} data-mark={kind} style={{ left: offsetOf(scale, at) }} />
}

type PanProps = Readonly<{
  scale: Scale
  bounds: TimeRange
  onView: (view: TimeRange) => void
  children: ReactNode
}>

/** The ruler can be taken hold of and pulled along. */
function Pan({ scale, bounds, onView, children }: PanProps) {
  const start = useRef<{ x: number; view: TimeRange }>(undefined)
  return (
    <div
      className={styles.pan}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        start.current = { x: event.clientX, view: scale.range }
      }}
      onPointerMove={(event) => {
        if (!start.current || !event.currentTarget.hasPointerCapture(event.pointerId)) return
        const { x, view } = start.current
        const perPixel = (view.to - view.from) / Math.max(1, scale.width)
        onView(shifted(view, Math.round((x - event.clientX) * perPixel), bounds))
      }}
      onPointerUp={() => {
        start.current = undefined
      }}
    >
      {children}
    </div>
  )
}

const ZOOM_PER_PIXEL = 1.002

/** The wheel zooms where the pointer is; sideways, or with Shift, it moves. */
function useWheel(scale: Scale, bounds: TimeRange, onView: (view: TimeRange) => void) {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = ref.current
    const onWheel = (event: WheelEvent) => {
      event.preventDefault()
      const sideways = event.shiftKey ? event.deltaY : event.deltaX
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        const perPixel = (scale.range.to - scale.range.from) / Math.max(1, scale.width)
        onView(shifted(scale.range, Math.round(sideways * perPixel), bounds))
      } else {
        const left = element?.getBoundingClientRect().left ?? 0
        const anchor = timeAt(scale, event.clientX - left)
        onView(zoomed(scale.range, ZOOM_PER_PIXEL ** event.deltaY, anchor, bounds))
      }
    }
    // React's own listener is passive, and the page would scroll.
    element?.addEventListener('wheel', onWheel, { passive: false })
    return () => element?.removeEventListener('wheel', onWheel)
  })
  return ref
}
