import { Text } from '@/i18n/Text'
import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { Notice } from '@/ui/Notice'
import styles from './ConflictNotice.module.css'
import type { Difference, Draft, Value } from './merging'

type Props<D extends Draft> = Readonly<{
  differences: readonly Difference<D>[]
  labels: Readonly<Record<keyof D, MessageId>>
}>

/** What somebody else changed while one was typing, field by field. */
export function ConflictNotice<D extends Draft>({ differences, labels }: Props<D>) {
  const text = useText()
  return (
    <Notice tone="warn">
      <p className={styles.title}>
        <Text id="people.conflict.title" />
      </p>
      {differences.length === 0 && <Text id="people.conflict.elsewhere" />}
      <dl className={styles.list}>
        {differences.map(({ field, before, now, both }) => (
          <div key={String(field)} className={styles.line}>
            <dt className={styles.field}>{text(labels[field])}</dt>
            <dd>
              <Text
                id={both ? 'people.conflict.both' : 'people.conflict.taken'}
                values={{ before: <Shown value={before} />, now: <Shown value={now} /> }}
              />
            </dd>
          </div>
        ))}
      </dl>
    </Notice>
  )
}

type ShownProps = Readonly<{ value: Value }>

function Shown({ value }: ShownProps) {
  const text = useText()
  if (value.length === 0) return text('people.conflict.empty')
  if (typeof value === 'string') return <bdi className={styles.value}>{value}</bdi>
  return (
    <bdi dir="ltr" className={styles.value}>
      {value.join(', ')}
    </bdi>
  )
}
