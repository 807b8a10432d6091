import { isCameraScope, readRule, type Rule } from '@/access/rule'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { Code } from '@/ui/Code'
import { Tag } from '@/ui/Tag'
import styles from './RuleText.module.css'
import { ACTION_LABELS, KIND_LABELS } from './rule-labels'
import type { Directory } from './use-directory'

type Props = Readonly<{ rule: string; directory: Directory }>

/** A rule in words, and as the coordinator writes it. */
export function RuleText({ rule: written, directory }: Props) {
  const rule = readRule(written)
  return (
    <span className={styles.rule}>
      {rule && (
        <>
          <Tag bare tone={rule.allows ? 'live' : 'bad'} icon={rule.allows ? 'check' : 'cross'}>
            <Text id={rule.allows ? 'access.allows' : 'access.forbids'} />
          </Tag>
          <span className={styles.part}>
            <Text id={ACTION_LABELS[rule.action]} />
          </span>
          <span className={styles.part}>
            <Text id={KIND_LABELS[rule.kind]} />
          </span>
          <span className={styles.part}>
            <ScopeText rule={rule} directory={directory} />
          </span>
        </>
      )}
      <span className={styles.code}>
        <Code>{written}</Code>
      </span>
    </span>
  )
}

type ScopeProps = Readonly<{ rule: Rule; directory: Directory }>

function ScopeText({ rule: { scope }, directory }: ScopeProps) {
  const text = useText()
  if (scope === '*') return text('access.scope.everything')
  if (scope === 'own') return text('access.scope.own')
  return (
    <bdi>{isCameraScope(scope) ? directory.cameraName(scope) : directory.agencyName(scope)}</bdi>
  )
}
