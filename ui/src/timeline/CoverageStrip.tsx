import { useQuery } from '@tanstack/react-query'
import { timelineQuery } from '@/api/queries'
import { useSeenOnce } from '@/hooks/use-seen-once'
import { useNow } from '@/hooks/use-now'
import { useFormat, useText } from '@/i18n/use-text'
import { DAY, MINUTE } from '@/time/range'
import styles from './CoverageStrip.module.css'
import { lengthsOf, piecesOf, readTimeline } from './coverage'
import { TIMELINE_DIRECTION } from './direction'
import { LanePieces } from './LanePieces'

type Props = Readonly<{ cameraId: string }>

/** Units across the strip: a pixel or less each, so that short losses are still seen. */
const WIDTH = 240
const STEP = 5 * MINUTE

/** The last 24 hours of a camera at a glance. Asked for when it first comes into view. */
export function CoverageStrip({ cameraId }: Props) {
  const [ref, seen] = useSeenOnce()
  const text = useText()
  const format = useFormat()
  const until = Math.ceil(useNow().wall / STEP) * STEP
  const range = { from: until - DAY, to: until }
  const timeline = useQuery({ ...timelineQuery(cameraId, range, 60_000), enabled: seen })
  const coverage = timeline.data ? readTimeline(timeline.data) : []
  const { centre, edge, lost, unexplained } = lengthsOf(coverage, range)
  const label = text('timeline.strip', {
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
