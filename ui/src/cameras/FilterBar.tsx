import { Text } from '@/i18n/Text'
import type { MessageId } from '@/i18n/messages'
import { useFormat, useText } from '@/i18n/use-text'
import { Icon, type IconName } from '@/ui/Icon'
import styles from './FilterBar.module.css'
import { GROUPS, type Group } from './health'

type Props = Readonly<{
  counts: Readonly<Record<Group, number>>
  group: Group | undefined
  words: string
  onGroup: (group: Group | undefined) => void
  onWords: (words: string) => void
}>

const LABELS: Record<Group, Readonly<{ icon: IconName; label: MessageId }>> = {
  live: { icon: 'dot', label: 'cameras.group.live' },
  trouble: { icon: 'alert', label: 'cameras.group.trouble' },
  away: { icon: 'unlink', label: 'cameras.group.away' },
  off: { icon: 'square', label: 'cameras.group.off' },
}

/** How many cameras are how, as buttons that show only those; and a search. */
export function FilterBar({ counts, group, words, onGroup, onWords }: Props) {
  const text = useText()
  const format = useFormat()
  const total = GROUPS.reduce((sum, one) => sum + counts[one], 0)
  return (
    <div className={styles.bar} role="search">
      <button
        type="button"
        className={styles.chip}
        aria-pressed={group === undefined}
        onClick={() => onGroup(undefined)}
      >
        <span className={styles.count}>{format.number(total)}</span>
        <Text id="cameras.group.all" />
      </button>
      {GROUPS.map((one) => (
        <button
          key={one}
          type="button"
          className={styles.chip}
          data-group={one}
          data-empty={counts[one] === 0 || undefined}
          aria-pressed={group === one}
          onClick={() => onGroup(group === one ? undefined : one)}
        >
          <span className={styles.icon}>
            <Icon name={LABELS[one].icon} />
          </span>
          <span className={styles.count}>{format.number(counts[one])}</span>
          <Text id={LABELS[one].label} />
        </button>
      ))}
      <label className={styles.search}>
        <Icon name="search" />
        <input
          className={styles.input}
          type="search"
          dir="auto"
          aria-label={text('cameras.search')}
          placeholder={text('cameras.search')}
          value={words}
          onChange={(event) => onWords(event.target.value)}
        />
      </label>
    </div>
  )
}
