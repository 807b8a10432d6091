import { useElementWidth } from '@/hooks/use-element-size'
import type { TimeRange } from '@/time/range'
import { piecesOf, type Coverage } from './coverage'
import { TIMELINE_DIRECTION } from './direction'
import { LanePieces } from './LanePieces'
import styles from './Overview.module.css'
import { offsetOf, timeAt, type Scale } from './scale'

type Props = Readonly<{
  bounds: TimeRange
  view: TimeRange
  coverage: Coverage
  position: number | undefined
  onCentre: (at: number) => void
}>

const HEIGHT = 8

/**
 * The whole day in a thin line while the lane shows a part of it. For the pointer only: the keys of
 * the lane reach everything that it does.
 */
export function Overview({ bounds, view, coverage, position, onCentre }: Props) {
  const [measure, width] = useElementWidth()
  const scale: Scale = { range: bounds, width, direction: TIMELINE_DIRECTION }
  const whole = view.from <= bounds.from && view.to >= bounds.to
  const edges = [offsetOf(scale, view.from), offsetOf(scale, view.to)]
  const left = Math.min(...edges)
  return (
    <div
      ref={measure}
      className={styles.overview}
      aria-hidden="true"
      onPointerDown={(event) => {
        const box = event.currentTarget.getBoundingClientRect()
        onCentre(timeAt(scale, event.clientX - box.left))
      }}
    >
      <svg width={width} height={HEIGHT}>
        <LanePieces pieces={piecesOf(coverage, scale)} height={HEIGHT} />
        {!whole && (
          <rect
            className={styles.window}
            x={left}
            y={0.75}
            width={Math.max(4, Math.max(...edges) - left)}
            height={HEIGHT - 1.5}
          />
        )}
        {position !== undefined && (
          <rect
            className={styles.position}
            x={offsetOf(scale, position) - 1}
            width={2}
            height={HEIGHT}
          />
        )}
      </svg>
    </div>
  )
}
