import { describe, expect, it } from 'vitest'
import { user } from '@mock/builders'
import { hasWords, matches, type PeopleFilter } from './matching'

const everybody: PeopleFilter = { words: '', agency: '', status: '', role: '' }
const layla = user({
  login: 'layla.hassan',
  display_name: 'Layla Hassan',
  arabic_name: 'ليلى أحمد حسن',
  email: 'layla@metro.example',
  employee_number: '10482',
  agency: 'METRO',
  section: 'Red line',
  roles: ['operator'],
})

describe('the search', () => {
  it.each([
    ['', true],
    ['hassan LAYLA', true],
    ['layla.h', true],
    ['10482', true],
    ['red', true],
    ['ليلى حسن', true],
    ['ليلي', true],
    ['احمد', true],
    ['لَيْلى', true],
    ['ليـلى', true],
    ['hassan omar', false],
  ])('for %j finds her: %s', (words, found) => {
    expect(matches(layla, { ...everybody, words })).toBe(found)
  })

  it('finds accents without typing them', () => {
    expect(hasWords('jose', ['José'])).toBe(true)
  })
})

describe('the filters', () => {
  it.each([
    [{ agency: 'METRO' }, true],
    [{ agency: 'BUS' }, false],
    [{ agency: '-' }, false],
    [{ status: 'ACTIVE' }, true],
    [{ status: 'DISABLED' }, false],
    [{ role: 'operator' }, true],
    [{ role: 'auditor' }, false],
  ] as const)('%j keep her: %s', (part, kept) => {
    expect(matches(layla, { ...everybody, ...part })).toBe(kept)
  })

  it('find people of no agency', () => {
    expect(matches(user({ agency: null }), { ...everybody, agency: '-' })).toBe(true)
  })
})
