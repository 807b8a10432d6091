import { useQuery } from '@tanstack/react-query'
import { useEffect, useState, type ReactNode } from 'react'
import { useSearchParams } from 'react-router'
import { api, ask } from '@/api/client'
import type { Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { timelineQuery } from '@/api/queries'
import { coordinatorTime } from '@/cameras/health'
import { readNow, useNow } from '@/hooks/use-now'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { cameraSearch, readCameraSearch } from '@/paths'
import type { Prepare } from '@/player/playback-driver'
import { RecordedVideo } from '@/player/RecordedVideo'
import { useCoarsePicture, usePlayback, usePlaybackDriver } from '@/player/use-playback'
import { contains, DAY, durationOf, MINUTE, SECOND, type TimeRange } from '@/time/range'
import { dayAt, dayRange, parseDay, siteZone } from '@/time/zone'
import {
  lengthsOf,
  nextFootage,
  readTimeline,
  stretchAt,
  until,
  type Coverage,
} from '@/timeline/coverage'
import { DayNavigation } from '@/timeline/DayNavigation'
import { Legend } from '@/timeline/Legend'
import { LossList } from '@/timeline/LossList'
import { centredOn, firstView, following, zoomed } from '@/timeline/scale'
import { Timeline } from '@/timeline/Timeline'
import { IconButton } from '@/ui/Button'
import styles from './PlaybackPanel.module.css'

type Props = Readonly<{ camera: Heard<Camera>; facts: ReactNode }>

/** How much to show around a loss that was chosen from the list. */
const AROUND_LOSS = 10 * MINUTE

/** A camera's recordings: the picture, the day, and what is missing from it. */
export function PlaybackPanel({ camera, facts }: Props) {
  const { id } = camera.value
  const text = useText()
  const zone = siteZone(camera.value.time_zone)
  const format = useFormat(zone)
  const [search, setSearch] = useSearchParams()
  const { at, day: wantedDay } = readCameraSearch(search)
  const now = coordinatorTime(camera, useNow()) ?? readNow().wall
  const today = dayAt(now, format.zone)

  const sources = {
    prepare: prepareFor(id),
    nextFootage: (from: number) => footageAfter(coverage, bounds, from),
    now: () => coordinatorTime(camera, readNow()) ?? readNow().wall,
  }
  const { driver, videoRef } = usePlaybackDriver(sources)
  const playback = usePlayback(driver)
  const second = useCoarsePicture(driver, SECOND)
  const position = playback.goingTo ?? second

  const day = parseDay(wantedDay) ?? dayAt(position ?? at ?? now, format.zone)
  const bounds = dayRange(day, format.zone)
  const { data: timeline } = useQuery(timelineQuery(id, bounds, day === today ? 5_000 : 60_000))
  const coverage = timeline ? until(readTimeline(timeline), now) : []
  const [view, setView] = useView(bounds, firstView(bounds, knownOf(coverage)), position)

  useEffect(() => {
    if (at === undefined) driver?.goLive()
    else driver?.seek(at)
  }, [driver, at])

  const show = (to: Parameters<typeof cameraSearch>[0]) =>
    setSearch(cameraSearch(to), { replace: true })
  const goLive = () => (at === undefined ? driver?.goLive() : show({}))
  const skip = (seconds: number) => {
    const from = playback.goingTo ?? driver?.picture()
    if (from !== undefined) show({ at: Math.min(from + seconds * SECOND, now) })
  }
  const shown = position === undefined ? undefined : stretchAt(coverage, position)
  const fromSite = shown?.state === 'recorded' && shown.place === 'edge'

  return (
    <div className={styles.panel}>
      <RecordedVideo
        driver={driver}
        videoRef={videoRef}
        label={camera.value.name}
        format={format}
        fromSite={fromSite}
        behind={second === undefined ? undefined : now - second}
        onSkip={skip}
        onLive={goLive}
      >
        <div className={styles.timeline}>
          <div className={styles.over}>
            <DayNavigation
              day={day}
              today={today}
              onDay={(to) => show(at === undefined ? { day: to } : { day: to, at })}
            />
            <span className={styles.zone}>
              <Text
                id={zone ? 'timeline.zone.site' : 'timeline.zone.workstation'}
                values={{ zone: <bdi dir="ltr">{format.zoneLabel(bounds.from)}</bdi> }}
              />
            </span>
            <Zoom
              view={view}
              onZoom={(factor) => setView(zoomed(view, factor, position ?? now, bounds))}
            />
          </div>
          <Timeline
            bounds={bounds}
            view={view}
            coverage={coverage}
            position={position}
            now={now}
            format={format}
            onView={setView}
            onSeek={(to) => show({ at: to })}
          />
          <Legend />
        </div>
      </RecordedVideo>
      <aside className={styles.aside}>
        <section className={styles.card} aria-label={text('cameras.health')}>
          <h2 className={styles.cardTitle}>
            <Text id="cameras.health" />
          </h2>
          {facts}
        </section>
        <section className={styles.card} aria-label={text('timeline.losses')}>
          <h2 className={styles.cardTitle}>
            <Text id="timeline.losses" />
            <span className={styles.cardNote}>{format.day(day)}</span>
          </h2>
          <DaySummary coverage={coverage} bounds={bounds} />
          {timeline && (
            <div className={styles.losses}>
              <LossList
                coverage={coverage}
                format={format}
                onShow={(loss) => {
                  const length = Math.max(AROUND_LOSS, (loss.to - loss.from) * 3)
                  const around = { from: loss.from, to: loss.from + Math.min(length, DAY) }
                  setView(centredOn(around, (loss.from + loss.to) / 2, bounds))
                  show({ at: loss.from - 2 * SECOND })
                }}
              />
            </div>
          )}
        </section>
      </aside>
    </div>
  )
}

const prepareFor =
  (camera_id: string): Prepare =>
  (order) => {
    const stretch =
      order === 'live'
        ? { live: true }
        : {
            live: false,
            from: new Date(order.from).toISOString(),
            to: new Date(order.to).toISOString(),
          }
    return ask(
      api.POST('/api/v1/playback/prepare', { body: { camera_id, stream: 'main', ...stretch } }),
    )
  }

/** Where footage is at or after an instant; outside the day that is known, wherever one asks. */
function footageAfter(coverage: Coverage, bounds: TimeRange, from: number): number | undefined {
  const unknown = coverage.length === 0 || from < bounds.from || from >= bounds.to
  return unknown ? from : nextFootage(coverage, from)
}

/** From the first to the last instant that something is known of. */
function knownOf(coverage: Coverage): TimeRange | undefined {
  const [first, last] = [coverage[0], coverage.at(-1)]
  return first && last ? { from: first.from, to: last.to } : undefined
}

type ChosenView = Readonly<{
  /** Begin of the day it was chosen for. */
  day: number
  view: TimeRange
  /** Whether it turns the page when the picture runs out of it. */
  follows: boolean
}>

/**
 * The stretch in view: `first` until someone looks elsewhere. A view that shows the picture's
 * place follows it; one that was moved elsewhere stays there.
 */
function useView(
  bounds: TimeRange,
  first: TimeRange,
  position: number | undefined,
): [TimeRange, (view: TimeRange) => void] {
  const [chosen, setChosen] = useState<ChosenView>()
  const shows = (view: TimeRange) => position !== undefined && contains(view, position)
  const choose = (view: TimeRange) => setChosen({ day: bounds.from, view, follows: shows(view) })
  if (chosen?.day !== bounds.from) return [first, choose]
  const { view, follows } = chosen
  if (!follows && shows(view)) setChosen({ ...chosen, follows: true })
  const next = follows && position !== undefined ? following(view, position, bounds) : view
  if (next !== view) setChosen({ ...chosen, view: next })
  return [next, choose]
}

type ZoomProps = Readonly<{ view: TimeRange; onZoom: (factor: number) => void }>

function Zoom({ view, onZoom }: ZoomProps) {
  const text = useText()
  const format = useFormat()
  return (
    <div className={styles.zoom} role="group" aria-label={text('timeline.zoom')}>
      <IconButton
        icon="minus"
        look="ghost"
        side="above"
        aria-label={text('timeline.zoomOut')}
        onClick={() => onZoom(2)}
      />
      <span className={styles.span}>{format.duration(durationOf(view))}</span>
      <IconButton
        icon="plus"
        look="ghost"
        side="above"
        align="end"
        aria-label={text('timeline.zoomIn')}
        onClick={() => onZoom(0.5)}
      />
    </div>
  )
}

type SummaryProps = Readonly<{ coverage: Coverage; bounds: TimeRange }>

function DaySummary({ coverage, bounds }: SummaryProps) {
  const format = useFormat()
  const lengths = lengthsOf(coverage, bounds)
  const recorded = lengths.centre + lengths.edge
  return (
    <dl className={styles.summary}>
      <div>
        <dt>
          <Text id="timeline.recorded" />
        </dt>
        <dd>{format.duration(recorded)}</dd>
      </div>
      <div>
        <dt>
          <Text id="timeline.edgeOnly" />
        </dt>
        <dd>{format.duration(lengths.edge)}</dd>
      </div>
      <div>
        <dt>
          <Text id="timeline.missing" />
        </dt>
        <dd>{format.duration(lengths.lost + lengths.unexplained)}</dd>
      </div>
    </dl>
  )
}
