import type { ReactNode } from 'react'
import type { AuditEntry } from '@/api/model'
import type { MessageId } from '@/i18n/messages'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Dialog } from '@/ui/Dialog'
import { ActorText } from './ActorText'
import styles from './audit.module.css'

type Props = Readonly<{
  entry: AuditEntry
  zone: string
  onFilter: (field: 'what' | 'user' | 'object', value: string) => void
  onClose: () => void
}>

/** All that is known of one entry, and the way to others like it. */
export function EntryDialog({ entry, zone, onFilter, onClose }: Props) {
  const text = useText()
  const format = useFormat(zone)
  const language = useLanguage()
  const user = entry.who.kind === 'user' ? entry.who.id : undefined
  const at = Date.parse(entry.at)
  return (
    <Dialog
      title={text('audit.entry', { number: format.number(entry.number) })}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={() => onFilter('what', entry.what)}>{text('audit.same.kind')}</Button>
          {user && (
            <Button onClick={() => onFilter('user', user)}>{text('audit.same.person')}</Button>
          )}
          {entry.object && (
            <Button onClick={() => onFilter('object', entry.object ?? '')}>
              {text('audit.same.object')}
            </Button>
          )}
        </>
      }
    >
      <p>{language === 'ar' ? entry.message_ar : entry.message_en}</p>
      <dl className={styles.facts}>
        <Fact name="audit.column.when">
          <bdi>{format.dateTime(at)}</bdi> <Code>{format.utc(at)}</Code>
        </Fact>
        <Fact name="audit.column.who">
          <ActorText who={entry.who} />
        </Fact>
        <Fact name="audit.column.what">
          <Code>{entry.what}</Code>
        </Fact>
        <CodeFact name="people.field.agency" value={entry.agency} />
        <CodeFact name="audit.column.object" value={entry.object} />
        <CodeFact name="audit.column.address" value={entry.address} />
        <CodeFact name="audit.column.client" value={entry.user_agent} />
        <CodeFact name="audit.column.correlation" value={entry.correlation_id} />
        <CodeFact name="audit.column.hash" value={entry.hash} />
      </dl>
      {entry.details && (
        <pre className={styles.details} dir="ltr">
          {JSON.stringify(entry.details, null, 2)}
        </pre>
      )}
    </Dialog>
  )
}

type FactProps = Readonly<{ name: MessageId; children: ReactNode }>

function Fact({ name, children }: FactProps) {
  const text = useText()
  return (
    <>
      <dt>{text(name)}</dt>
      <dd>{children}</dd>
    </>
  )
}

type CodeFactProps = Readonly<{ name: MessageId; value: string | null | undefined }>

function CodeFact({ name, value }: CodeFactProps) {
  if (!value) return null
  return (
    <Fact name={name}>
      <Code>{value}</Code>
    </Fact>
  )
}
