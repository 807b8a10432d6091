import type { Format } from '@/i18n/format'
import { Text } from '@/i18n/Text'
import { useLanguage } from '@/i18n/use-text'
import { directionOf } from '@/i18n/direction'
import { durationOf } from '@/time/range'
import { Icon } from '@/ui/Icon'
import { lookOf, type Stretch } from './coverage'
import { CAUSES, LOOK_LABELS, sentenceOf } from './looks'
import styles from './StretchCard.module.css'

type Props = Readonly<{
  at: number
  stretch: Stretch | undefined
  /** Of the pointer, from the left edge of the lane. */
  offset: number
  width: number
  format: Format
}>

const CARD_WIDTH = 260

/** What is known of the instant under the pointer. */
export function StretchCard({ at, stretch, offset, width, format }: Props) {
  const language = useLanguage()
  const sentence = stretch && sentenceOf(stretch, language)
  const left = Math.max(0, Math.min(offset - CARD_WIDTH / 2, width - CARD_WIDTH))
  return (
    <div
      className={styles.card}
      dir={directionOf(language)}
      // Picture coordinates: the lane does not turn with the page.
      style={{ left, inlineSize: CARD_WIDTH }}
      aria-hidden="true"
    >
      <p className={styles.time}>
        <bdi>{format.time(at)}</bdi>
        <span className={styles.utc} dir="ltr">
          {format.utc(at).slice(11, 19)} {format.utc(at).slice(-3)}
        </span>
      </p>
      {stretch && (
        <>
          <p className={styles.what} data-look={lookOf(stretch)}>
            {stretch.state === 'missing' && <Icon name={CAUSES[stretch.cause].icon} size={14} />}
            <Text id={LOOK_LABELS[lookOf(stretch)]} />
            {stretch.state === 'missing' && (
              <span className={styles.cause}>
                <Text id={CAUSES[stretch.cause].label} />
              </span>
            )}
          </p>
          {sentence && <p>{sentence}</p>}
          <p className={styles.range}>
            <Text
              id="timeline.fromTo"
              values={{
                from: format.time(stretch.from),
                to: format.time(stretch.to),
                duration: format.duration(durationOf(stretch)),
              }}
            />
          </p>
        </>
      )}
    </div>
  )
}
