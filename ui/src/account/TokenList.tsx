import { useNow } from '@/hooks/use-now'
import type { ApiToken } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { RuleText } from '@/people/RuleText'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { Tag } from '@/ui/Tag'
import styles from './account.module.css'

type Props = Readonly<{ tokens: readonly ApiToken[]; onRevoke: (token: ApiToken) => void }>

/** What machines sign in with, newest first. */
export function TokenList({ tokens, onRevoke }: Props) {
  const text = useText()
  const format = useFormat()
  const now = useNow()
  const directory = useDirectory()
  const when = (time: string) => <bdi>{format.dateTime(Date.parse(time))}</bdi>
  return (
    <ul className={styles.list}>
      {tokens.map((token) => (
        <li key={token.id} className={styles.line}>
          <div className={styles.what}>
            <h3 className={styles.name}>
              <bdi>{token.name}</bdi>
              {Date.parse(token.expires_at) <= now.wall && (
                <Tag tone="bad" icon="clock">
                  <Text id="account.tokens.expired" />
                </Tag>
              )}
            </h3>
            <p className={styles.facts}>
              <span>
                <Text id="account.tokens.until" values={{ when: when(token.expires_at) }} />
              </span>
              <span>
                <Text id="account.tokens.used" values={{ when: when(token.last_used) }} />
              </span>
              <span>
                <Text id="account.sessions.since" values={{ when: when(token.created_at) }} />
              </span>
            </p>
            <div className={styles.scopes}>
              {token.scopes.length === 0 && <Text id="account.tokens.allScopes" />}
              {token.scopes.map((scope) => (
                <RuleText key={scope} rule={scope} directory={directory} />
              ))}
            </div>
          </div>
          <Button look="danger" onClick={() => onRevoke(token)}>
            {text('account.tokens.revoke')}
          </Button>
        </li>
      ))}
    </ul>
  )
}
