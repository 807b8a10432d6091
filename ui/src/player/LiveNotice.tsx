import { errorSentence, RefusedError } from '@/api/errors'
import { useNow } from '@/hooks/use-now'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Icon, type IconName } from '@/ui/Icon'
import { Spinner } from '@/ui/Spinner'
import styles from './LiveNotice.module.css'
import type { Live } from './use-live'

type Props = Readonly<{
  live: Live
  /** Why the camera gives no picture, as far as the coordinator knows. */
  explanation: string | undefined
}>

/** What a live picture does not say by itself. Nothing, when it is live. */
export function LiveNotice({ live, explanation }: Props) {
  const text = useText()
  const language = useLanguage()
  const { state, refusal } = live.shown
  switch (state.is) {
    case 'idle':
      return null
    case 'playing':
      return refusal === undefined ? null : (
        <p className={styles.banner} data-tone="warn">
          <Icon name="alert" size={14} />
          <RefusalText error={refusal} />
        </p>
      )
    case 'connecting':
      return (
        <div className={styles.notice}>
          {explanation ? <Icon name="alert" size={20} /> : <Spinner size={20} />}
          <p>{explanation ?? <ConnectingText attempt={state.attempt} error={state.error} />}</p>
        </div>
      )
    case 'stale':
      return <Old live={live} icon="clock" explanation={explanation} />
    case 'still':
      return <Old live={live} icon="still" explanation={undefined} />
    case 'down':
      return (
        <div className={styles.notice} data-tone="bad">
          <Icon name="alert" size={20} />
          <p>{state.down.sentences?.[language] ?? explanation ?? text('live.down')}</p>
        </div>
      )
    case 'refused':
      return (
        <div className={styles.notice} data-tone="bad">
          <Icon name="alert" size={20} />
          <p>
            <RefusalText error={state.error} />
          </p>
          <Button onClick={() => live.channel.retry()}>{text('player.retry')}</Button>
        </div>
      )
    case 'unplayable':
      return (
        <div className={styles.notice} data-tone="bad">
          <Icon name="alert" size={20} />
          <p>{text('player.failed.codec')}</p>
        </div>
      )
  }
}

type ConnectingProps = Readonly<{ attempt: number; error: unknown }>

function ConnectingText({ attempt, error }: ConnectingProps) {
  const text = useText()
  const language = useLanguage()
  if (error instanceof RefusedError) return <>{errorSentence(error, language, text)}</>
  return <>{text(attempt === 0 ? 'live.connecting' : 'live.tryingAgain')}</>
}

type OldProps = Readonly<{ live: Live; icon: IconName; explanation: string | undefined }>

/** How old the picture is, second by second. */
function Old({ live, icon, explanation }: OldProps) {
  const text = useText()
  const format = useFormat()
  // The age is the channel's; this only says when to look again.
  useNow()
  const duration = format.age(live.channel.age ?? 0)
  const { wall } = live.channel
  const still = icon === 'still'
  return (
    <div className={styles.banner} data-tone={still ? undefined : 'warn'}>
      <Icon name={icon} size={14} />
      <p>
        <span title={wall === undefined ? undefined : format.dateTime(wall)}>
          {text(still ? 'live.still' : 'live.stale', { duration })}
        </span>
        {explanation && <span className={styles.why}>{explanation}</span>}
      </p>
    </div>
  )
}

type RefusalProps = Readonly<{ error: unknown }>

/** Why a stream was refused; with the limit and how much of it is used, when that is why. */
function RefusalText({ error }: RefusalProps) {
  const text = useText()
  const language = useLanguage()
  const format = useFormat()
  const limit = error instanceof RefusedError ? error.limit : undefined
  if (!limit) return <>{errorSentence(error, language, text)}</>
  const used = { current: format.number(limit.current), limit: format.number(limit.limit) }
  return (
    <>
      {limit.bound === 'AGENCY' && limit.agency
        ? text('live.limit.agency', { ...used, agency: limit.agency })
        : text('live.limit.total', used)}
    </>
  )
}
