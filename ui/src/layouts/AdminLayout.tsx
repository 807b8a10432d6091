import { useQuery } from '@tanstack/react-query'
import { Navigate, NavLink, Outlet } from 'react-router'
import { sessionQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import styles from './AdminLayout.module.css'
import { administration } from './administration'

/** What the pages of administration have in common: the way from one to the other. */
export function AdminLayout() {
  const text = useText()
  const { data: me } = useQuery(sessionQuery)
  return (
    <div className={styles.layout}>
      <nav className={styles.navigation} aria-label={text('common.nav.administration')}>
        {administration(me).map(({ path, label }) => (
          <NavLink key={path} className={styles.link ?? ''} to={path}>
            <Text id={label} />
          </NavLink>
        ))}
      </nav>
      <Outlet />
    </div>
  )
}

/** To the first page that this person may see. */
export function AdminStart() {
  const { data: me } = useQuery(sessionQuery)
  return <Navigate to={administration(me)[0]?.path ?? '/'} replace />
}
