import { useLayoutEffect, type ReactNode } from 'react'
import { IntlProvider } from 'react-intl'
import { applyLanguage, type Language } from './direction'
import { MESSAGES } from './messages'

const INTL_LOCALES: Record<Language, string> = { en: 'en-GB', ar: 'ar-AE' }

type Props = Readonly<{ language: Language; children: ReactNode }>

/** Gives texts to everything below and turns `<html>` the way the language is written. */
export function LanguageProvider({ language, children }: Props) {
  useLayoutEffect(() => applyLanguage(language, document.documentElement), [language])
  return (
    <IntlProvider locale={INTL_LOCALES[language]} messages={MESSAGES[language]} onError={fail}>
      {children}
    </IntlProvider>
  )
}

/** A missing or broken text is a defect; tests fail on it. */
function fail(error: Error): void {
  console.error(error)
}
