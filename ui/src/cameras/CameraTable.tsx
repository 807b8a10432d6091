import { Link } from 'react-router'
import { keepTime, type Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { useNow } from '@/hooks/use-now'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage } from '@/i18n/use-text'
import { paths } from '@/paths'
import { CoverageStrip } from '@/timeline/CoverageStrip'
import type { StripWindow } from '@/timeline/strip-window'
import styles from './CameraTable.module.css'
import { HealthTag } from './HealthTag'
import { seen } from './health'
import { PictureAge } from './PictureAge'
import { healthSentence } from './sentences'

type Props = Readonly<{
  cameras: Heard<readonly Camera[]>
  /** How far back the strips look. */
  window: StripWindow
  labelledBy: string
}>

/** The cameras of a site, one line each. */
export function CameraTable({ cameras, window, labelledBy }: Props) {
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-labelledby={labelledBy}>
        <thead>
          <tr>
            <th scope="col" className={styles.state}>
              <Text id="cameras.column.state" />
            </th>
            <th scope="col">
              <Text id="cameras.column.camera" />
            </th>
            <th scope="col" className={styles.age}>
              <Text id="cameras.column.lastPicture" />
            </th>
            <th scope="col" className={styles.strip}>
              <Text id={window.label} />
            </th>
            <th scope="col" className={styles.recorded}>
              <Text id="cameras.column.recordedUntil" />
            </th>
            <th scope="col" className={styles.rate}>
              <Text id="cameras.column.rate" />
            </th>
          </tr>
        </thead>
        <tbody>
          {cameras.value.map((camera) => (
            <CameraRow key={camera.id} camera={keepTime(cameras, camera)} window={window} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

type RowProps = Readonly<{ camera: Heard<Camera>; window: StripWindow }>

function CameraRow({ camera: heard, window }: RowProps) {
  const camera = heard.value
  const state = seen(heard, useNow())
  const format = useFormat()
  const language = useLanguage()
  const { health } = camera
  const known = state.state !== 'unheard'
  const sentence = known ? healthSentence(health, language) : undefined
  return (
    <tr>
      <td>
        <HealthTag state={state.state} />
      </td>
      <td>
        <Link className={styles.name} to={paths.camera(camera.id)}>
          <bdi>{camera.name}</bdi>
        </Link>
        <div className={styles.detail}>{sentence ?? <bdi>{camera.agency}</bdi>}</div>
      </td>
      <td className={styles.numbers}>
        <PictureAge seen={state} />
      </td>
      <td>
        <CoverageStrip cameraId={camera.id} window={window} />
      </td>
      <td className={styles.numbers}>
        {health.recorded_until && format.time(Date.parse(health.recorded_until))}
      </td>
      <td className={styles.numbers}>
        {known && health.bits_per_second > 0 && (
          <span className={styles.rates}>
            <span className={styles.bits}>{format.bitrate(health.bits_per_second)}</span>
            <span className={styles.fps}>
              <Text id="cameras.fps" values={{ fps: format.number(health.fps) }} />
            </span>
          </span>
        )}
      </td>
    </tr>
  )
}
