import { explain, type Effect, type Explanation, type Source } from '@/access/explain'
import type { User } from '@/api/model'
import { Text } from '@/i18n/Text'
import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { Code } from '@/ui/Code'
import type { IconName } from '@/ui/Icon'
import { Tag, type Tone } from '@/ui/Tag'
import styles from './EffectivePermissions.module.css'
import { RuleText } from './RuleText'
import type { Directory } from './use-directory'

type Props = Readonly<{ user: User; directory: Directory }>

const EFFECTS: Record<Effect, Readonly<{ tone: Tone; icon: IconName; label: MessageId }>> = {
  gives: { tone: 'live', icon: 'check', label: 'access.effect.gives' },
  partly: { tone: 'warn', icon: 'minus', label: 'access.effect.partly' },
  taken: { tone: 'bad', icon: 'cross', label: 'access.effect.taken' },
  forbids: { tone: 'bad', icon: 'cross', label: 'access.effect.forbids' },
  nothing: { tone: 'quiet', icon: 'question', label: 'access.effect.nothing' },
}

/** All that somebody may do and may not do, each with what says so. */
export function EffectivePermissions({ user, directory }: Props) {
  const text = useText()
  const { roles, groups, agencyOfCamera } = directory
  const lines = explain(user, roles, groups, agencyOfCamera)
  if (lines.length === 0) return <p className={styles.none}>{text('access.effective.none')}</p>
  return (
    <ul className={styles.list}>
      {lines.map((line) => (
        <li key={`${line.effect} ${line.text}`} className={styles.line}>
          <RuleText rule={line.text} directory={directory} />
          <Worth line={line} />
          <Sources sources={line.sources} user={user} directory={directory} />
        </li>
      ))}
    </ul>
  )
}

type WorthProps = Readonly<{ line: Explanation }>

function Worth({ line: { effect, takenBy } }: WorthProps) {
  const { tone, icon, label } = EFFECTS[effect]
  if (effect === 'gives' || effect === 'forbids') return null
  return (
    <p className={styles.worth}>
      <Tag tone={tone} icon={icon}>
        <Text id={label} />
      </Tag>
      {takenBy.map((rule) => (
        <Code key={rule}>{rule}</Code>
      ))}
    </p>
  )
}

type SourcesProps = Readonly<{ sources: readonly Source[]; user: User; directory: Directory }>

function Sources({ sources, user, directory }: SourcesProps) {
  const text = useText()
  return (
    <ul className={styles.sources} aria-label={text('access.source.label')}>
      {sources.length === 0 && (
        <li>
          <Text id="access.source.hidden" />
        </li>
      )}
      {sources.map((source) => (
        <li key={JSON.stringify(source)}>
          <SourceText source={source} user={user} directory={directory} />
        </li>
      ))}
    </ul>
  )
}

type SourceProps = Readonly<{ source: Source; user: User; directory: Directory }>

function SourceText({ source, user, directory }: SourceProps) {
  if (source.from === 'exception') return <Text id="access.source.exception" />
  if (source.from === 'role') {
    const role = <bdi>{directory.roleName(source.role)}</bdi>
    return <Text id="access.source.role" values={{ role }} />
  }
  const known = user.groups.find((one) => one.id === source.group)
  const group = <bdi>{known ? directory.nameOf(known.name) : source.group}</bdi>
  if (source.role === undefined) return <Text id="access.source.group" values={{ group }} />
  const role = <bdi>{directory.roleName(source.role)}</bdi>
  return <Text id="access.source.groupRole" values={{ group, role }} />
}
