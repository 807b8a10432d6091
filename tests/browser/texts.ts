/** The texts of the pages, so that one walk can be made in both languages. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Language = 'en' | 'ar'

const LOCALES = join(__dirname, '../../ui/src/i18n/locales')

/** A text by its key, with the names that stand in it. */
export function textsOf(language: Language) {
  const texts = new Map<string, string>()
  const folder = join(LOCALES, language)
  for (const file of readdirSync(folder)) {
    const area = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, string>
    for (const [key, text] of Object.entries(area)) texts.set(key, text)
  }
  return (key: string, values: Readonly<Record<string, string>> = {}): string => {
    const text = texts.get(key)
    if (text === undefined) throw new Error(`no text ${key} in ${language}`)
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
  }
}
