import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { timelineQuery } from '@/api/queries'
import { useSeenOnce } from '@/hooks/use-seen-once'
import { useNow } from '@/hooks/use-now'
import { useFormat, useText } from '@/i18n/use-text'
import { SECOND } from '@/time/range'
import styles from './CoverageStrip.module.css'
import { lengthsOf, piecesOf, readTimeline } from './coverage'
import { TIMELINE_DIRECTION } from './direction'
import { LanePieces } from './LanePieces'
import type { StripWindow } from './strip-window'

type Props = Readonly<{ cameraId: string; window: StripWindow }>

const REFRESH = 30_000
/** Units across the strip: a pixel or less each, so that short losses are still seen. */
const WIDTH = 240
/** The strip moves on in steps, so that the question stays the same for a while. */
const STEPS = 240
const SHORTEST_STEP = 15 * SECOND

/** The latest stretch of a camera at a glance. Asked for when it first comes into view. */
export function CoverageStrip({ cameraId, window }: Props) {
  const [ref, seen] = useSeenOnce()
  const text = useText()
  const format = useFormat()
  const step = Math.max(window.length / STEPS, SHORTEST_STEP)
  const until = Math.ceil(useNow().wall / step) * step
  const range = { from: until - window.length, to: until }
  const timeline = useQuery({
    ...timelineQuery(cameraId, range, REFRESH),
    enabled: seen,
    // The strip moves on; it does not blink.
    placeholderData: keepPreviousData,
  })
  const coverage = timeline.data ? readTimeline(timeline.data) : []
  const { centre, edge, lost, unexplained } = lengthsOf(coverage, range)
  const label = text('timeline.strip', {
    window: text(window.label),
    recorded: format.duration(centre + edge),
    missing: format.duration(lost + unexplained),
  })
  return (
    <div ref={ref} className={styles.strip} dir={TIMELINE_DIRECTION}>
      <svg
        className={styles.lane}
        viewBox={`0 0 ${WIDTH} 10`}
        preserveAspectRatio="none"
        role="img"
        aria-label={timeline.data ? label : text('timeline.loading')}
      >
        <LanePieces
          pieces={piecesOf(coverage, { range, width: WIDTH, direction: TIMELINE_DIRECTION })}
          height={10}
        />
      </svg>
    </div>
  )
}
