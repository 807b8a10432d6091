import type { ReactNode } from 'react'
import type { Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { useNow } from '@/hooks/use-now'
import type { Format } from '@/i18n/format'
import { Text } from '@/i18n/Text'
import type { MessageId } from '@/i18n/messages'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { dayAt, siteZone } from '@/time/zone'
import styles from './CameraFacts.module.css'
import { HealthTag } from './HealthTag'
import { seen } from './health'
import { PictureAge } from './PictureAge'
import { healthSentence } from './sentences'

type Props = Readonly<{ camera: Heard<Camera> }>

/** How a camera is doing, in full. */
export function CameraFacts({ camera: heard }: Props) {
  const camera = heard.value
  const text = useText()
  const format = useFormat(siteZone(camera.time_zone))
  const language = useLanguage()
  const now = useNow()
  const state = seen(heard, now)
  const { health } = camera
  const known = state.state !== 'unheard'
  const sentence = known ? healthSentence(health, language) : undefined
  const at = (time: string | null | undefined) =>
    time == null ? undefined : momentOf(Date.parse(time), now.wall, format)
  const rate =
    known && health.bits_per_second > 0
      ? text('cameras.rate', {
          bitrate: format.bitrate(health.bits_per_second),
          fps: format.frameRate(health.fps),
        })
      : undefined
  const clock =
    health.clock_offset_us == null
      ? undefined
      : text('cameras.clock', {
          offset: format.offset(health.clock_offset_us),
          uncertainty: format.length(health.clock_uncertainty_us ?? 0),
        })
  return (
    <div className={styles.facts}>
      <div className={styles.state}>
        <HealthTag state={state.state} />
        <PictureAge seen={state} />
      </div>
      {sentence && <p className={styles.sentence}>{sentence}</p>}
      <dl className={styles.list}>
        {health.since && known && <Fact term="cameras.fact.since">{at(health.since)}</Fact>}
        <Fact term="cameras.fact.lastPicture">{at(health.last_picture)}</Fact>
        <Fact term="cameras.fact.recordedUntil">{at(health.recorded_until)}</Fact>
        <Fact term="cameras.fact.durableUntil">{at(health.durable_until)}</Fact>
        <Fact term="cameras.fact.rate">{rate}</Fact>
        <Fact term="cameras.fact.clock">{clock}</Fact>
        <Fact term="cameras.fact.agent">
          <bdi>{camera.agent_name}</bdi>
        </Fact>
        <Fact term="cameras.fact.agency">
          <bdi>{camera.agency}</bdi>
        </Fact>
      </dl>
    </div>
  )
}

/** An instant of today by its time alone. */
const momentOf = (at: number, now: number, format: Format): string =>
  dayAt(at, format.zone) === dayAt(now, format.zone) ? format.time(at) : format.dateTime(at)

type FactProps = Readonly<{ term: MessageId; children: ReactNode }>

function Fact({ term, children }: FactProps) {
  const format = useFormat()
  return (
    <div className={styles.fact}>
      <dt>
        <Text id={term} />
      </dt>
      <dd>{children ?? format.nothing}</dd>
    </div>
  )
}
