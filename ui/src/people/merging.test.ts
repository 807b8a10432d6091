import { describe, expect, it } from 'vitest'
import { merge, sameDraft } from './merging'

const base = { name: 'Layla', section: 'Red', roles: ['operator'] }

describe('two changes of one thing', () => {
  it('in different fields are both kept', () => {
    const mine = { ...base, name: 'Leila' }
    const theirs = { ...base, section: 'Green', roles: ['operator', 'auditor'] }
    const { draft, differences } = merge(base, mine, theirs)
    expect(draft).toEqual({ name: 'Leila', section: 'Green', roles: ['operator', 'auditor'] })
    expect(differences.map(({ field, both }) => [field, both])).toEqual([
      ['section', false],
      ['roles', false],
    ])
  })

  it('in the same field keep what was typed, and say what it replaces', () => {
    const mine = { ...base, name: 'Leila' }
    const theirs = { ...base, name: 'Laila' }
    const { draft, differences } = merge(base, mine, theirs)
    expect(draft.name).toBe('Leila')
    expect(differences).toEqual([{ field: 'name', before: 'Layla', now: 'Laila', both: true }])
  })

  it('that are the same are none', () => {
    const both = { ...base, name: 'Leila' }
    expect(merge(base, both, both)).toEqual({ draft: both, differences: [] })
  })
})

it('drafts are the same by what they say', () => {
  expect(sameDraft(base, { ...base, roles: ['operator'] })).toBe(true)
  expect(sameDraft(base, { ...base, roles: [] })).toBe(false)
})
