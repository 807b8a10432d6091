import type { OidcMethod } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Notice } from '@/ui/Notice'
import styles from './ProviderSignIn.module.css'

type Props = Readonly<{
  provider: OidcMethod
  /** Where to come back to, inside the interface. */
  next: string
}>

/** The way to the identity provider, and whether it answers. */
export function ProviderSignIn({ provider, next }: Props) {
  const text = useText()
  const format = useFormat()
  const language = useLanguage()
  const name = provider.name[language]
  const since = provider.unreachable_since
  return (
    <>
      {provider.state === 'unreachable' && (
        <Notice tone="warn">
          {since
            ? text('session.provider.silentSince', {
                name,
                when: format.dateTime(Date.parse(since)),
              })
            : text('session.provider.silent', { name })}
        </Notice>
      )}
      {/* A navigation and no request of the page: the provider answers with pages of its own. */}
      <a className={styles.way} href={`${provider.start_url}?next=${encodeURIComponent(next)}`}>
        <Text id="session.provider.signIn" values={{ name: <bdi>{name}</bdi> }} />
      </a>
    </>
  )
}
