import type { Format } from '@/i18n/format'
import { useText } from '@/i18n/use-text'
import { Tooltip } from '@/ui/Tooltip'
import type { PlaybackDriver } from './playback-driver'
import { usePicture } from './use-playback'
import styles from './PictureClock.module.css'

const NO_TIME = '--:--:--'

type Props = Readonly<{ driver: PlaybackDriver | undefined; format: Format }>

/** When the shown picture was taken, from the recording itself; in UTC when pointed at. */
export function PictureClock({ driver, format }: Props) {
  const at = usePicture(driver)
  const text = useText()
  if (at === undefined) {
    return (
      <span className={styles.clock} data-testid="picture-clock">
        <span className={styles.none} aria-hidden="true">
          {NO_TIME}
        </span>
      </span>
    )
  }
  const written = format.timeMillis(at)
  const point = written.indexOf('.')
  return (
    <Tooltip side="above" text={<bdi dir="ltr">{format.utc(at)}</bdi>}>
      <time
        className={styles.clock}
        dateTime={new Date(at).toISOString()}
        aria-label={text('player.pictureTime', { time: format.dateTime(at) })}
        data-testid="picture-clock"
      >
        <span className={styles.time}>
          {written.slice(0, point)}
          <span className={styles.millis}>{written.slice(point)}</span>
        </span>
        <span className={styles.zone}>{format.zoneLabel(at)}</span>
      </time>
    </Tooltip>
  )
}
