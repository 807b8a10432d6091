import { useEffect, useLayoutEffect, useRef } from 'react'
import { Outlet, useLocation } from 'react-router'
import { LanguageProvider } from '@/i18n/LanguageProvider'
import { useText } from '@/i18n/use-text'
import { usePreferences } from '@/stores/preferences'
import { useToasts } from '@/stores/toast'
import { Toasts } from '@/ui/Toasts'
import styles from './RootLayout.module.css'

/** What is around every page: language, theme, notices, and the word on where one has come to. */
export function RootLayout() {
  const { language, theme } = usePreferences()
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme
  }, [theme])
  return (
    <LanguageProvider language={language}>
      <Outlet />
      <Notices />
      <RouteAnnouncer />
    </LanguageProvider>
  )
}

function Notices() {
  const text = useText()
  const { messages, dismiss } = useToasts()
  return <Toasts messages={messages} dismissLabel={text('common.close')} onDismiss={dismiss} />
}

/** Reads the title of a new page to those who cannot see that the page has changed. */
function RouteAnnouncer() {
  const { pathname } = useLocation()
  const region = useRef<HTMLParagraphElement>(null)
  const before = useRef(pathname)
  useEffect(() => {
    if (before.current === pathname) return undefined
    before.current = pathname
    // The page sets its title in an effect of its own.
    const timer = setTimeout(() => {
      if (region.current) region.current.textContent = document.title
    }, 100)
    return () => clearTimeout(timer)
  }, [pathname])
  return <p ref={region} className={styles.announcer} aria-live="assertive" />
}
