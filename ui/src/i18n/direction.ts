/** Which languages there are, and which way each is written. The only place that sets `dir`. */

export const LANGUAGES = ['en', 'ar'] as const
export type Language = (typeof LANGUAGES)[number]
export type Direction = 'ltr' | 'rtl'

export const directionOf = (language: Language): Direction => (language === 'ar' ? 'rtl' : 'ltr')

/** The first of the browser's languages that we speak; English when there is none. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = LANGUAGES.find((known) => tag.toLowerCase().split('-')[0] === known)
    if (language) return language
  }
  return 'en'
}

/** Turns the whole page: everything below reads direction from `<html>`. */
export function applyLanguage(language: Language, root: HTMLElement): void {
  root.lang = language
  root.dir = directionOf(language)
}
