import type { ReactNode } from 'react'
import type { Format } from '@/i18n/format'
import { useText } from '@/i18n/use-text'
import { classNames } from '@/ui/class-names'
import { IconButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { PictureClock } from './PictureClock'
import styles from './PlayerControls.module.css'
import type { PlayerCommand } from './player-keys'
import { RATES, type PlaybackDriver, type PlayerSnapshot } from './playback-driver'

type Props = Readonly<{
  driver: PlaybackDriver | undefined
  playback: PlayerSnapshot
  format: Format
  muted: boolean
  /** Whether the present is on the screen, and moving. */
  isLive: boolean
  onCommand: (command: PlayerCommand) => void
  /** Beside the clock: what is to be known of the picture. */
  notes: ReactNode
}>

/** Buttons under the picture. They stay left to right in both languages, as on every player. */
export function PlayerControls(props: Props) {
  const { driver, playback, format, muted, isLive, onCommand, notes } = props
  const text = useText()
  const noPicture =
    playback.state.is === 'idle' || playback.state.is === 'failed'
      ? text('player.noPictureYet')
      : undefined
  const moving = playback.wantsToPlay && playback.state.is !== 'ended'
  return (
    <div className={styles.controls} dir="ltr" role="group" aria-label={text('player.controls')}>
      <div className={styles.group}>
        <Skip seconds={-10} disabledReason={noPicture} onCommand={onCommand} />
        <IconButton
          icon="stepBack"
          look="ghost"
          side="above"
          aria-label={text('player.previousPicture')}
          disabledReason={noPicture}
          onClick={() => onCommand({ do: 'step', pictures: -1 })}
        />
        <span className={styles.main}>
          <IconButton
            icon={moving ? 'pause' : 'play'}
            look="primary"
            side="above"
            aria-label={moving ? text('player.pause') : text('player.play')}
            disabledReason={noPicture}
            onClick={() => onCommand({ do: 'toggle' })}
          />
        </span>
        <IconButton
          icon="stepForward"
          look="ghost"
          side="above"
          aria-label={text('player.nextPicture')}
          disabledReason={noPicture}
          onClick={() => onCommand({ do: 'step', pictures: 1 })}
        />
        <Skip seconds={10} disabledReason={noPicture} onCommand={onCommand} />
      </div>
      <div className={styles.middle}>
        <PictureClock driver={driver} format={format} />
        <span className={styles.notes} dir="auto">
          {notes}
        </span>
      </div>
      <div className={styles.group}>
        <Rate playback={playback} format={format} driver={driver} />
        <button
          type="button"
          className={classNames(styles.live, isLive && styles.isLive)}
          aria-pressed={playback.live}
          onClick={() => onCommand({ do: 'live' })}
        >
          <Icon name="dot" size={14} />
          <span dir="auto">{text('player.live')}</span>
        </button>
        <IconButton
          icon={muted ? 'soundOff' : 'sound'}
          look="ghost"
          side="above"
          aria-label={muted ? text('player.unmute') : text('player.mute')}
          onClick={() => onCommand({ do: 'mute' })}
        />
        <IconButton
          icon="expand"
          look="ghost"
          side="above"
          align="end"
          aria-label={text('player.fullScreen')}
          onClick={() => onCommand({ do: 'fullScreen' })}
        />
      </div>
    </div>
  )
}

type SkipProps = Readonly<{
  seconds: number
  disabledReason: string | undefined
  onCommand: (command: PlayerCommand) => void
}>

function Skip({ seconds, disabledReason, onCommand }: SkipProps) {
  const text = useText()
  const label = text(seconds < 0 ? 'player.back' : 'player.forward', { seconds: Math.abs(seconds) })
  return (
    <IconButton
      icon={seconds < 0 ? 'rewind' : 'forward'}
      look="ghost"
      side="above"
      align={seconds < 0 ? 'start' : 'centre'}
      aria-label={label}
      disabledReason={disabledReason}
      onClick={() => onCommand({ do: 'skip', seconds })}
    />
  )
}

type RateProps = Readonly<{
  driver: PlaybackDriver | undefined
  playback: PlayerSnapshot
  format: Format
}>

function Rate({ driver, playback, format }: RateProps) {
  const text = useText()
  const rates = playback.live ? [1] : RATES
  return (
    <select
      className={styles.rate}
      aria-label={text('player.speed')}
      title={playback.live ? text('player.speedLive') : undefined}
      aria-disabled={playback.live || undefined}
      value={playback.rate}
      onChange={(event) => driver?.setRate(Number(event.target.value))}
    >
      {rates.map((rate) => (
        <option key={rate} value={rate}>
          {format.rate(rate)}
        </option>
      ))}
    </select>
  )
}
