import { expect, it } from 'vitest'
import { group } from '@mock/builders'
import {
  EMPTY_GROUP,
  groupDraft,
  groupSettings,
  isAgencyCode,
  isRoleCode,
  nameProblems,
} from './group'

it('a group is sent as a whole, without an agency that it has not', () => {
  const night = group({ agency: null, roles: ['operator'] })
  expect(groupSettings(groupDraft(night))).toEqual({
    name: { en: 'Night shift', ar: 'وردية الليل' },
    roles: ['operator'],
    permissions: [],
  })
  expect(groupSettings({ ...EMPTY_GROUP, agency: 'METRO' })).toMatchObject({ agency: 'METRO' })
})

it('names are wanted in both languages', () => {
  expect(Object.keys(nameProblems({ name_en: ' ', name_ar: '' }))).toEqual(['name_en', 'name_ar'])
  expect(nameProblems({ name_en: 'A', name_ar: 'أ' })).toEqual({})
})

it.each([
  ['shift_leader', true],
  ['new', true],
  ['Shift', false],
  ['1st', false],
  ['', false],
])('%j is the code of a role: %s', (code, right) => {
  expect(isRoleCode(code)).toBe(right)
})

it.each([
  ['DUBAI_POLICE', true],
  ['metro', false],
  ['', false],
])('%j is the code of an agency: %s', (code, right) => {
  expect(isAgencyCode(code)).toBe(right)
})
