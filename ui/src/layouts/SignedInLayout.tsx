import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { Navigate, NavLink, Outlet, useLocation } from 'react-router'
import { can } from '@/access/can'
import { useAccountLanguage } from '@/account/use-language-choice'
import { api, ask } from '@/api/client'
import { listenToHub } from '@/api/hub'
import type { Me } from '@/api/model'
import { camerasQuery, forget, sessionQuery } from '@/api/queries'
import { elapsed, useNow } from '@/hooks/use-now'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { IconButton } from '@/ui/Button'
import { classNames } from '@/ui/class-names'
import { Icon } from '@/ui/Icon'
import { Notice } from '@/ui/Notice'
import { UNHEARD_AFTER } from '@/cameras/health'
import { administration } from './administration'
import { Brand } from './Brand'
import { PreferenceButtons } from './PreferenceButtons'
import styles from './SignedInLayout.module.css'

/** The frame around everything that needs somebody signed in. */
export function SignedInLayout() {
  const { data: me, errorUpdateCount } = useQuery(sessionQuery)
  const location = useLocation()
  const text = useText()
  useHub(me?.user_id)
  useAccountLanguage(me)
  if (me === null) {
    return (
      <Navigate to={paths.signIn()} replace state={{ from: location.pathname + location.search }} />
    )
  }
  if (me === undefined) {
    return errorUpdateCount > 0 ? (
      <main className={styles.silence}>
        <Notice tone="bad">{text('errors.unreachable')}</Notice>
      </main>
    ) : null
  }
  return (
    <div className={styles.layout}>
      <a className={styles.skip} href="#content">
        <Text id="common.skip" />
      </a>
      <header className={styles.header}>
        <Brand />
        <nav className={styles.navigation} aria-label={text('common.navigation')}>
          <NavLink
            className={styles.link ?? ''}
            to={paths.sites()}
            end={!location.pathname.startsWith('/cameras')}
          >
            <Icon name="camera" />
            <span className={styles.linkName}>
              <Text id="common.nav.cameras" />
            </span>
          </NavLink>
          <NavLink className={styles.link ?? ''} to={paths.wall()}>
            <Icon name="wall" />
            <span className={styles.linkName}>
              <Text id="common.nav.wall" />
            </span>
          </NavLink>
          {can(me, { kind: 'agent', action: 'view' }) && (
            <NavLink className={styles.link ?? ''} to={paths.agents()}>
              <Icon name="agent" />
              <span className={styles.linkName}>
                <Text id="common.nav.agents" />
              </span>
            </NavLink>
          )}
          {administration(me).length > 0 && (
            <NavLink className={styles.link ?? ''} to={paths.admin()}>
              <Icon name="people" />
              <span className={styles.linkName}>
                <Text id="common.nav.administration" />
              </span>
            </NavLink>
          )}
        </nav>
        <LinkState />
        <PreferenceButtons />
        <Person me={me} />
      </header>
      <main id="content" className={styles.content} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  )
}

/** Hears at once what the coordinator has to say to whoever is signed in. */
function useHub(user: string | undefined) {
  const client = useQueryClient()
  useEffect(() => (user === undefined ? undefined : listenToHub(client)), [client, user])
}

/** Whether the coordinator answers; silence is said aloud, as nothing on the page is true without it. */
function LinkState() {
  const { data } = useQuery(camerasQuery)
  const now = useNow()
  const format = useFormat()
  const silence = data ? elapsed(data.at, now) : 0
  const lost = silence > UNHEARD_AFTER
  return (
    <div className={classNames(styles.state, lost && styles.lost)} role="status">
      {lost ? (
        <>
          <Icon name="unlink" />
          <span>
            <Text id="common.unheard" values={{ duration: format.age(silence) }} />
          </span>
        </>
      ) : (
        <span className={styles.clock}>
          <bdi>{format.time(now.wall)}</bdi>
          <span className={styles.zone}>{format.zoneLabel(now.wall)}</span>
        </span>
      )}
    </div>
  )
}

type PersonProps = Readonly<{ me: Me }>

function Person({ me }: PersonProps) {
  const text = useText()
  const language = useLanguage()
  const name = (language === 'ar' ? me.arabic_name : undefined) ?? me.display_name
  const client = useQueryClient()
  const signOut = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/session')),
    onSettled: () => forget(client),
  })
  return (
    <div className={styles.person}>
      <NavLink
        className={styles.profile ?? ''}
        to={paths.profile()}
        aria-label={text('profile.link', { name })}
      >
        <Icon name="operator" />
        <bdi className={styles.personName}>{name}</bdi>
      </NavLink>
      <IconButton
        icon="signOut"
        look="ghost"
        align="end"
        aria-label={text('session.signOut')}
        busy={signOut.isPending}
        onClick={() => signOut.mutate()}
      />
    </div>
  )
}
