import type { SignedInAt } from '@/api/model'
import type { MessageId } from '@/i18n/messages'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Tag } from '@/ui/Tag'
import styles from './account.module.css'
import { clientName } from './client-name'

const KINDS: Record<SignedInAt['kind'], MessageId> = {
  browser: 'account.kind.browser',
  program: 'account.kind.program',
  machine: 'account.kind.machine',
}

type Props = Readonly<{
  sessions: readonly SignedInAt[]
  /** Why none may be ended. */
  disabledReason?: string | undefined
  /** Which is being ended. */
  ending: string | undefined
  onEnd: (id: string) => void
}>

/** Where somebody is signed in. */
export function SessionTable({ sessions, disabledReason, ending, onEnd }: Props) {
  const text = useText()
  const format = useFormat()
  const when = (time: string) => <bdi>{format.dateTime(Date.parse(time))}</bdi>
  return (
    <ul className={styles.list}>
      {sessions.map((session) => (
        <li key={session.id} className={styles.line}>
          <div className={styles.what}>
            <p className={styles.name}>
              <Client session={session} />
              {session.current && (
                <Tag tone="live" icon="check">
                  <Text id="account.sessions.current" />
                </Tag>
              )}
            </p>
            <p className={styles.facts}>
              {session.address && <Code>{session.address}</Code>}
              <span>
                <Text id="account.sessions.seen" values={{ when: when(session.last_seen) }} />
              </span>
              <span>
                <Text id="account.sessions.since" values={{ when: when(session.created_at) }} />
              </span>
            </p>
          </div>
          {!session.current && (
            <Button
              busy={ending === session.id}
              disabledReason={disabledReason}
              onClick={() => onEnd(session.id)}
            >
              {text('account.sessions.end')}
            </Button>
          )}
        </li>
      ))}
    </ul>
  )
}

type ClientProps = Readonly<{ session: SignedInAt }>

function Client({ session }: ClientProps) {
  const text = useText()
  const { kind, user_agent: agent } = session
  const name = agent ? clientName(agent) : undefined
  if (name?.system) {
    return text('account.sessions.on', { browser: name.browser, system: name.system })
  }
  if (name) return name.browser
  return (
    <>
      {text(KINDS[kind])} {agent && <Code>{agent}</Code>}
    </>
  )
}
