import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import type { ChannelSnapshot, ChannelState } from '@/player/live-channel'
import type { WayReason } from '@/player/live-driver'
import { Icon, type IconName } from '@/ui/Icon'
import type { Tone } from '@/ui/Tag'
import styles from './TileStatus.module.css'

type Look = Readonly<{ tone: Tone; icon: IconName; label: MessageId }>

const LOOKS: Record<ChannelState['is'], Look> = {
  idle: { tone: 'quiet', icon: 'square', label: 'wall.state.idle' },
  connecting: { tone: 'quiet', icon: 'restart', label: 'wall.state.connecting' },
  playing: { tone: 'live', icon: 'dot', label: 'wall.state.live' },
  stale: { tone: 'warn', icon: 'clock', label: 'wall.state.stale' },
  still: { tone: 'odd', icon: 'still', label: 'wall.state.still' },
  down: { tone: 'bad', icon: 'alert', label: 'wall.state.down' },
  refused: { tone: 'bad', icon: 'alert', label: 'wall.state.refused' },
  unplayable: { tone: 'bad', icon: 'alert', label: 'wall.state.unplayable' },
}

const REASONS: Record<WayReason, MessageId> = {
  codec: 'live.way.codec',
  blocked: 'live.way.blocked',
  missing: 'live.way.missing',
}

type Props = Readonly<{ name: string; shown: ChannelSnapshot }>

/** Name and state under a picture, and how it comes where that is not as usual. */
export function TileStatus({ name, shown }: Props) {
  const text = useText()
  const look = LOOKS[shown.state.is]
  const moves = shown.state.is === 'playing' || shown.state.is === 'stale'
  const troubled = look.tone === 'warn' || look.tone === 'bad'
  return (
    <div className={styles.status}>
      {/* Once per change, and not with every second of its age. */}
      <span className={styles.hidden} role="status">
        {troubled && text('wall.trouble', { camera: name, state: text(look.label) })}
      </span>
      <span className={styles.state} data-tone={look.tone}>
        <Icon name={look.icon} size={12} />
        <span className={styles.word}>{text(look.label)}</span>
      </span>
      <span className={styles.name}>
        <bdi>{name}</bdi>
      </span>
      {moves && shown.because && (
        <span className={styles.way} title={text(REASONS[shown.because])}>
          <Icon name="network" size={12} />
          <span className={styles.hidden}>{text(REASONS[shown.because])}</span>
        </span>
      )}
      {moves && shown.rendition === 'SUB' && (
        <span className={styles.way}>{text('wall.reduced')}</span>
      )}
    </div>
  )
}
