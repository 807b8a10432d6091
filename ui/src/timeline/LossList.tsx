import type { Format } from '@/i18n/format'
import { Text } from '@/i18n/Text'
import { useLanguage } from '@/i18n/use-text'
import { durationOf } from '@/time/range'
import { Icon } from '@/ui/Icon'
import { lossesOf, type Coverage, type Stretch } from './coverage'
import { CAUSES, sentenceOf } from './looks'
import styles from './LossList.module.css'

type Props = Readonly<{
  coverage: Coverage
  format: Format
  onShow: (loss: Stretch) => void
}>

/** A camera that comes and goes all day must not fill the page. */
const MOST = 200

/** What is missing, and why, as a list: the timeline for those who do not see it. */
export function LossList({ coverage, format, onShow }: Props) {
  const losses = lossesOf(coverage)
  if (losses.length === 0) {
    return (
      <p className={styles.none}>
        <Icon name="check" />
        <Text id="timeline.noLosses" />
      </p>
    )
  }
  return (
    <ol className={styles.list}>
      {losses.slice(-MOST).map((loss) => (
        <li key={loss.from}>
          <LossButton loss={loss} format={format} onShow={onShow} />
        </li>
      ))}
    </ol>
  )
}

type LossButtonProps = Readonly<{
  loss: Stretch
  format: Format
  onShow: (loss: Stretch) => void
}>

function LossButton({ loss, format, onShow }: LossButtonProps) {
  const language = useLanguage()
  const unexplained = loss.state !== 'missing'
  return (
    <button
      type="button"
      className={styles.loss}
      data-unexplained={unexplained || undefined}
      onClick={() => onShow(loss)}
    >
      <span className={styles.icon}>
        <Icon name={unexplained ? 'question' : CAUSES[loss.cause].icon} />
      </span>
      <span className={styles.when}>
        <bdi>{format.time(loss.from)}</bdi>
        <span className={styles.duration}>{format.duration(durationOf(loss))}</span>
      </span>
      <span className={styles.why}>
        {unexplained ? (
          <Text id="timeline.unexplainedSentence" />
        ) : (
          <>
            <span className={styles.cause}>
              <Text id={CAUSES[loss.cause].label} />
            </span>{' '}
            {sentenceOf(loss, language)}
          </>
        )}
      </span>
    </button>
  )
}
