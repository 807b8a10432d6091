import { MINUTE } from '@/time/range'
import type { Format } from '@/i18n/format'
import styles from './Ruler.module.css'
import { offsetOf, ticksOf, type Scale } from './scale'

type Props = Readonly<{ scale: Scale; origin: number; format: Format }>

/** Round times above the lane. */
export function Ruler({ scale, origin, format }: Props) {
  const ticks = ticksOf(scale, origin)
  const [one, other] = ticks.filter((tick) => tick.labelled)
  const fine = one && other ? other.at - one.at < MINUTE : false
  return (
    <div className={styles.ruler} aria-hidden="true">
      <svg className={styles.marks} width={scale.width} height="100%">
        {ticks.map(({ at, labelled }) => (
          <line
            key={at}
            className={labelled ? styles.major : styles.minor}
            x1={offsetOf(scale, at)}
            x2={offsetOf(scale, at)}
            y1={labelled ? 15 : 19}
            y2={24}
          />
        ))}
      </svg>
      {ticks
        .filter(({ at, labelled }) => labelled && isInside(offsetOf(scale, at), scale.width))
        .map(({ at }) => (
          // Picture coordinates: the lane does not turn with the page.
          <span key={at} className={styles.label} style={{ left: offsetOf(scale, at) }}>
            {fine ? format.time(at) : format.timeShort(at)}
          </span>
        ))}
    </div>
  )
}

/** A label at the very edge would be cut in half. */
const isInside = (offset: number, width: number): boolean => offset > 18 && offset < width - 18
