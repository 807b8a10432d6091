import { describe, expect, it } from 'vitest'
import { user } from '@mock/builders'
import { draftOf, EMPTY, newUserOf, problemsOf, replacementOf } from './person'

describe('a person', () => {
  it('is sent as a whole, without what is empty', () => {
    const layla = user({ agency: 'METRO', section: null, roles: ['operator'], revision: 7 })
    expect(replacementOf({ ...draftOf(layla), email: ' l@metro.example ' }, 7)).toEqual({
      revision: 7,
      login: 'layla.hassan',
      display_name: 'Layla Hassan',
      arabic_name: 'ليلى حسن',
      email: 'l@metro.example',
      agency: 'METRO',
      roles: ['operator'],
      permissions: [],
    })
  })

  it('may come without a password', () => {
    const draft = { ...EMPTY, login: 'a', display_name: 'A' }
    expect(newUserOf(draft, '')).not.toHaveProperty('password')
    expect(newUserOf(draft, 'long enough')).toHaveProperty('password', 'long enough')
  })

  it.each([
    [{}, ['login', 'display_name']],
    [{ login: ' ', display_name: 'A' }, ['login']],
    [{ login: 'a', display_name: 'A', email: 'nobody' }, ['email']],
    [{ login: 'a', display_name: 'A', email: 'a@b' }, []],
  ])('that says %j lacks %j', (part, fields) => {
    expect(Object.keys(problemsOf({ ...EMPTY, ...part }))).toEqual(fields)
  })
})
