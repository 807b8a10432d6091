import { useId, useState } from 'react'
import { ACTIONS_OF, KINDS, writeRule, type Kind, type Rule } from '@/access/rule'
import type { Action } from '@/access/can'
import { useFormat, useText } from '@/i18n/use-text'
import { Button, IconButton } from '@/ui/Button'
import { SelectField, type Option } from '@/ui/Field'
import { ACTION_LABELS, KIND_LABELS } from './rule-labels'
import styles from './RulesEditor.module.css'
import { RuleText } from './RuleText'
import type { Directory } from './use-directory'

type Props = Readonly<{
  title: string
  hint: string
  /** In place of rules, when there are none. */
  none: string
  rules: readonly string[]
  onChange: (rules: string[]) => void
  directory: Directory
  /** Why this person may not change anything. */
  disabledReason: string | undefined
}>

/** Permissions that are given or taken, one by one. */
export function RulesEditor(props: Props) {
  const { title, hint, none, rules, onChange, directory, disabledReason } = props
  const text = useText()
  const id = useId()
  return (
    <section className={styles.editor} aria-labelledby={id}>
      <h3 id={id} className={styles.title}>
        {title}
      </h3>
      <p className={styles.hint}>{hint}</p>
      {rules.length === 0 && <p className={styles.none}>{none}</p>}
      {rules.length > 0 && (
        <ul className={styles.list}>
          {rules.map((rule) => (
            <li key={rule} className={styles.line}>
              <RuleText rule={rule} directory={directory} />
              <IconButton
                icon="cross"
                look="ghost"
                align="end"
                aria-label={text('access.editor.remove', { rule })}
                disabledReason={disabledReason}
                onClick={() => onChange(rules.filter((one) => one !== rule))}
              />
            </li>
          ))}
        </ul>
      )}
      {!disabledReason && (
        <RuleBuilder
          taken={rules}
          directory={directory}
          onAdd={(rule) => onChange([...rules, rule].sort())}
        />
      )}
    </section>
  )
}

/** Stands for a camera that is still to be chosen. */
const ONE_CAMERA = '?'

type BuilderProps = Readonly<{
  taken: readonly string[]
  directory: Directory
  onAdd: (rule: string) => void
}>

function RuleBuilder({ taken, directory, onAdd }: BuilderProps) {
  const text = useText()
  const { compare } = useFormat()
  const [allows, setAllows] = useState<'yes' | 'no'>('yes')
  const [kind, setKind] = useState<Kind | '*'>('camera')
  const [scope, setScope] = useState('own')
  const [camera, setCamera] = useState('')
  const [action, setAction] = useState<Action | '*'>('view')
  const cameras: Option<string>[] = directory.cameras
    .map((one) => ({ value: one.id, label: `${one.site_name} · ${one.name}` }))
    .sort((one, other) => compare(one.label, other.label))
  const scopes: Option<string>[] = [
    { value: '*', label: text('access.scope.everything') },
    { value: 'own', label: text('access.scope.own') },
    ...directory.agencyCodes('').map((code) => ({
      value: code,
      label: text('access.scope.agency', { agency: directory.agencyName(code) }),
    })),
    ...(kind === 'camera' && cameras.length > 0
      ? [{ value: ONE_CAMERA, label: text('access.scope.camera') }]
      : []),
  ]
  const chosenScope = scopes.some((one) => one.value === scope) ? scope : '*'
  const chosenCamera = camera || (cameras[0]?.value ?? '')
  const actions: (Action | '*')[] = ['*', ...ACTIONS_OF[kind]]
  const rule: Rule = {
    allows: allows === 'yes',
    kind,
    scope: chosenScope === ONE_CAMERA ? chosenCamera : chosenScope,
    action: actions.includes(action) ? action : '*',
  }
  const written = writeRule(rule)
  return (
    <div className={styles.builder}>
      <div className={styles.fields}>
        <SelectField
          label={text('access.editor.effect')}
          value={allows}
          options={[
            { value: 'yes', label: text('access.editor.allow') },
            { value: 'no', label: text('access.editor.forbid') },
          ]}
          onChange={setAllows}
        />
        <SelectField
          label={text('access.editor.action')}
          value={rule.action}
          options={actions.map((value) => ({ value, label: text(ACTION_LABELS[value]) }))}
          onChange={setAction}
        />
        <SelectField
          label={text('access.editor.kind')}
          value={kind}
          options={([...KINDS, '*'] as const).map((value) => ({
            value,
            label: text(KIND_LABELS[value]),
          }))}
          onChange={setKind}
        />
        <SelectField
          label={text('access.editor.scope')}
          value={chosenScope}
          options={scopes}
          onChange={setScope}
        />
        {chosenScope === ONE_CAMERA && (
          <SelectField
            label={text('access.editor.camera')}
            value={chosenCamera}
            options={cameras}
            onChange={setCamera}
          />
        )}
      </div>
      <div className={styles.outcome}>
        <RuleText rule={written} directory={directory} />
        <Button
          icon="plus"
          disabledReason={taken.includes(written) ? text('access.editor.taken') : undefined}
          onClick={() => onAdd(written)}
        >
          {text('access.editor.add')}
        </Button>
      </div>
    </div>
  )
}
