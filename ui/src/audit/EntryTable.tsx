import type { AuditEntry } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import styles from './audit.module.css'
import { ActorText } from './ActorText'

type Props = Readonly<{
  entries: readonly AuditEntry[]
  zone: string
  onOpen: (number: number) => void
}>

/** Entries, one line each, newest first. */
export function EntryTable({ entries, zone, onOpen }: Props) {
  const text = useText()
  const format = useFormat(zone)
  const language = useLanguage()
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-label={text('audit.title')}>
        <thead>
          <tr>
            <th scope="col">
              <Text id="audit.column.when" />
            </th>
            <th scope="col">
              <Text id="audit.column.what" />
            </th>
            <th scope="col">
              <Text id="audit.column.who" />
            </th>
            <th scope="col">
              <Text id="people.field.agency" />
            </th>
            <th scope="col">
              <Text id="audit.column.address" />
            </th>
            <th scope="col" className={styles.number}>
              <Text id="audit.column.more" />
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.number}>
              <td className={styles.when}>
                <bdi>{format.dateTime(Date.parse(entry.at))}</bdi>
              </td>
              <td>{language === 'ar' ? entry.message_ar : entry.message_en}</td>
              <td>
                <ActorText who={entry.who} />
              </td>
              <td>{entry.agency && <Code>{entry.agency}</Code>}</td>
              <td>{entry.address && <Code>{entry.address}</Code>}</td>
              <td className={styles.number}>
                <Button look="ghost" onClick={() => onOpen(entry.number)}>
                  {text('audit.open', { number: format.number(entry.number) })}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
