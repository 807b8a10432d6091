import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  isPluralElement,
  parse,
  TYPE,
  type MessageFormatElement,
} from '@formatjs/icu-messageformat-parser'
import { describe, expect, it } from 'vitest'
import { LANGUAGES } from './direction'
import { MESSAGES, type MessageId } from './messages'

const ids = Object.keys(MESSAGES.en) as MessageId[]
const PLURALS = { en: ['one', 'other'], ar: ['zero', 'one', 'two', 'few', 'many', 'other'] }

/** Names of values and tags of a text, in depth. */
function valuesOf(elements: readonly MessageFormatElement[]): Set<string> {
  const names = new Set<string>()
  for (const element of elements) {
    if (element.type !== TYPE.literal && element.type !== TYPE.pound) names.add(element.value)
    if ('options' in element) {
      for (const option of Object.values(element.options)) {
        for (const name of valuesOf(option.value)) names.add(name)
      }
    }
  }
  return names
}

/** Every source file but tests, generated code and the texts themselves. */
function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return /generated|locales/.test(path) ? [] : sources(path)
    return /\.tsx?$/.test(path) && !path.includes('.test.') ? [path] : []
  })
}

describe('texts', () => {
  it('have the same keys in both languages, in files of the same name', () => {
    const keysOf = (language: string) =>
      readdirSync(join('src/i18n/locales', language)).map((file) => [
        file,
        Object.keys(
          JSON.parse(readFileSync(join('src/i18n/locales', language, file), 'utf8')) as object,
        ),
      ])
    expect(keysOf('ar')).toEqual(keysOf('en'))
  })

  it('stand in the file of their area, in order', () => {
    for (const file of readdirSync('src/i18n/locales/en')) {
      const text = readFileSync(join('src/i18n/locales/en', file), 'utf8')
      const keys = Object.keys(JSON.parse(text) as object)
      expect(keys.filter((key) => !key.startsWith(file.replace('json', '')))).toEqual([])
      expect(keys).toEqual([...keys].sort())
    }
  })

  it.each(ids)('%s reads in both languages and takes the same values', (id) => {
    const parsed = LANGUAGES.map((language) => parse(MESSAGES[language][id]))
    const [english, arabic] = parsed.map(valuesOf)
    expect(arabic).toEqual(english)
    for (const text of LANGUAGES.map((language) => MESSAGES[language][id])) {
      expect(text.trim()).not.toBe('')
    }
  })

  it('have every plural form that their language has', () => {
    for (const language of LANGUAGES) {
      for (const id of ids) {
        for (const plural of parse(MESSAGES[language][id]).filter(isPluralElement)) {
          expect(Object.keys(plural.options).sort(), `${language} ${id}`).toEqual(
            [...PLURALS[language]].sort(),
          )
        }
      }
    }
  })

  it('in Arabic are written in Arabic', () => {
    const latin = ids.filter((id) => !/[\u0600-\u06ff]/.test(MESSAGES.ar[id]))
    // The language switch is written in the language it leads to; two have no words.
    expect(latin.sort()).toEqual([
      'cameras.clock',
      'common.otherLanguage',
      'common.otherLanguageShort',
      'timeline.fromTo',
    ])
  })

  it('are all used', () => {
    const code = sources('src')
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n')
    expect(ids.filter((id) => !code.includes(`'${id}'`) && !code.includes(`"${id}"`))).toEqual([])
  })
})
