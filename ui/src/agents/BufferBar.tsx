import type { Agent } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage } from '@/i18n/use-text'
import { Notice } from '@/ui/Notice'
import { sharesOf } from './agent-state'
import styles from './BufferBar.module.css'

type Props = Readonly<{ buffer: NonNullable<Agent['buffer']>; now: number }>

/** Deletion nearer than this deserves attention now; in ms. */
const SOON = 24 * 3600 * 1000

/** The disk beside the cameras: who uses it, and when it will begin to lose footage. */
export function BufferBar({ buffer, now }: Props) {
  const format = useFormat()
  const language = useLanguage()
  const shares = sharesOf(buffer)
  const deletesAt = buffer.deletes_unsent_at ? Date.parse(buffer.deletes_unsent_at) : undefined
  return (
    <div className={styles.buffer}>
      <div className={styles.bar} aria-hidden="true">
        <span className={styles.sent} style={{ inlineSize: `${shares.sent * 100}%` }} />
        <span className={styles.unsent} style={{ inlineSize: `${shares.unsent * 100}%` }} />
        <span className={styles.other} style={{ inlineSize: `${shares.other * 100}%` }} />
      </div>
      <ul className={styles.legend}>
        <li data-share="sent">
          <Text
            id="agents.buffer.sent"
            values={{ size: format.bytes(Math.max(0, buffer.used_bytes - buffer.unsent_bytes)) }}
          />
        </li>
        <li data-share="unsent">
          <Text id="agents.buffer.unsent" values={{ size: format.bytes(buffer.unsent_bytes) }} />
        </li>
        <li data-share="other">
          <Text
            id="agents.buffer.other"
            values={{ size: format.bytes(shares.other * buffer.total_bytes) }}
          />
        </li>
        <li data-share="free">
          <Text
            id="agents.buffer.free"
            values={{
              free: format.bytes(buffer.free_bytes),
              total: format.bytes(buffer.total_bytes),
            }}
          />
        </li>
      </ul>
      {buffer.fault && (
        <Notice tone="bad">
          {language === 'ar' ? buffer.fault.message_ar : buffer.fault.message_en}
        </Notice>
      )}
      {deletesAt === undefined ? (
        <p className={styles.forecast}>
          <Text id="agents.forecast.safe" />
        </p>
      ) : (
        <Notice tone={deletesAt - now < SOON ? 'bad' : 'warn'}>
          <Text
            id="agents.forecast.deletes"
            values={{
              when: format.weekdayTime(deletesAt),
              duration: format.duration(Math.max(0, deletesAt - now)),
            }}
          />
        </Notice>
      )}
    </div>
  )
}
