// @vitest-environment jsdom
import { expect, it } from 'vitest'
import { applyLanguage, directionOf, preferredLanguage } from './direction'

it.each([
  [['ar-AE', 'en'], 'ar'],
  [['AR'], 'ar'],
  [['fr', 'ar'], 'ar'],
  [['en-GB', 'ar'], 'en'],
  [['fr', 'de'], 'en'],
  [['arn'], 'en'],
  [[], 'en'],
])('of %j we speak %s', (wanted, language) => {
  expect(preferredLanguage(wanted)).toBe(language)
})

it('turns the page', () => {
  const root = document.createElement('html')
  applyLanguage('ar', root)
  expect([root.lang, root.dir]).toEqual(['ar', 'rtl'])
  applyLanguage('en', root)
  expect([root.lang, root.dir]).toEqual(['en', 'ltr'])
  expect(directionOf('ar')).toBe('rtl')
})
