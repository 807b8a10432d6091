import { describe, expect, it } from 'vitest'
import { camera } from '@mock/builders'
import { changeOf, draftOf, problemsOf } from './settings'

const decided = camera({
  name: 'Gate 3',
  agency: 'METRO',
  settings: { recording: 'continuous', upload: 'all', retention_hours: 72 },
})
const open = camera({ name: 'Gate 3', agency: 'METRO', settings: {} })

describe('changeOf', () => {
  it('is nothing when nothing differs', () => {
    expect(changeOf(decided, draftOf(decided))).toBeUndefined()
    expect(changeOf(open, draftOf(open))).toBeUndefined()
    expect(changeOf(decided, { ...draftOf(decided), name: ' Gate 3 ' })).toBeUndefined()
  })

  it('holds only what differs', () => {
    expect(changeOf(decided, { ...draftOf(decided), upload: 'on-demand' })).toEqual({
      upload: 'on-demand',
    })
    expect(changeOf(open, { ...draftOf(open), retention: '24', name: 'Gate 4' })).toEqual({
      display_name: 'Gate 4',
      retention_hours: 24,
    })
  })
})

describe('problemsOf', () => {
  it.each(['0', '-1', '1.5', '99999', 'two', '1e3'])(
    'refuses to keep for %s hours',
    (retention) => {
      expect(problemsOf(decided, { ...draftOf(decided), retention })).toHaveProperty('retention')
    },
  )

  it('cannot take back a decision on retention', () => {
    expect(problemsOf(decided, { ...draftOf(decided), retention: '' })).toHaveProperty('retention')
    expect(problemsOf(open, draftOf(open))).toEqual({})
  })

  it.each(['', 'metro', 'A B', 'A'.repeat(33)])('refuses the agency %j', (agency) => {
    expect(problemsOf(open, { ...draftOf(open), agency })).toHaveProperty('agency')
  })
})
