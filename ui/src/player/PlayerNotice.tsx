import { errorSentence } from '@/api/errors'
import type { Format } from '@/i18n/format'
import type { MessageId } from '@/i18n/messages'
import { useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { Spinner } from '@/ui/Spinner'
import type { PlayerSnapshot } from './playback-driver'
import type { FailReason } from './player-state'
import styles from './PlayerNotice.module.css'

type Props = Readonly<{
  playback: PlayerSnapshot
  /** When the shown picture was taken. */
  picture: number | undefined
  /** The instant wanted is only at the site. */
  fromSite: boolean
  format: Format
  onRetry: () => void
}>

const FAILURES: Record<Exclude<FailReason, 'refused'>, MessageId> = {
  no_footage: 'player.failed.noFootage',
  codec: 'player.failed.codec',
  media: 'player.failed.media',
  unreachable: 'player.failed.unreachable',
}

/** What the picture does not say by itself: why it stands, what is being waited for. */
export function PlayerNotice({ playback, picture, fromSite, format, onRetry }: Props) {
  const text = useText()
  const language = useLanguage()
  const { state } = playback
  switch (state.is) {
    case 'idle':
    case 'playing':
    case 'paused':
      return null
    case 'connecting':
    case 'buffering':
      return (
        <div className={styles.notice} role="status">
          <Spinner size={22} />
          <p>{text(fromSite ? 'player.fetchingFromSite' : 'player.loading')}</p>
        </div>
      )
    case 'stalled':
      return (
        <div className={styles.banner} data-tone="warn" role="alert">
          <Icon name="clock" />
          <p>
            {picture === undefined
              ? text('player.stalledBlank')
              : text('player.stalled', { time: format.dateTime(picture) })}
          </p>
        </div>
      )
    case 'ended':
      return (
        <div className={styles.banner} role="status">
          <Icon name="square" />
          <p>{text('player.ended')}</p>
        </div>
      )
    case 'failed':
      return (
        <div className={styles.notice} data-tone="bad" role="alert">
          <Icon name="alert" size={26} />
          <p>
            {state.reason === 'refused'
              ? errorSentence(state.error, language, text)
              : text(FAILURES[state.reason])}
          </p>
          {state.reason !== 'codec' && (
            <Button icon="restart" onClick={onRetry}>
              {text('player.retry')}
            </Button>
          )}
        </div>
      )
  }
}
