import { describe, expect, it } from 'vitest'
import { group, role, user, uuid } from '@mock/builders'
import { explain, overlap } from './explain'
import { readRule } from './rule'

const camera = uuid(1)
const agencyOf = (id: string) => (id === camera ? 'METRO' : undefined)

const operator = role({ code: 'operator', permissions: ['camera:own:view', 'camera:own:playback'] })
const night = group({ id: uuid(0x61), roles: ['operator'], permissions: ['camera:own:export'] })

describe('what somebody may do', () => {
  it('is traced to roles, groups and exceptions', () => {
    const person = user({
      agency: 'METRO',
      roles: ['operator'],
      groups: [{ id: night.id, name: night.name }],
      permissions: [`!camera:${camera}:view`, 'camera:METRO:export'],
      effective_permissions: ['camera:METRO:export', 'camera:METRO:view', `!camera:${camera}:view`],
    })
    const [exporting, viewing, denied] = explain(person, [operator], [night], agencyOf)
    expect(exporting).toMatchObject({
      effect: 'gives',
      sources: [{ from: 'group', group: night.id }, { from: 'exception' }],
    })
    expect(viewing).toMatchObject({
      effect: 'partly',
      takenBy: [`!camera:${camera}:view`],
      sources: [
        { from: 'role', role: 'operator' },
        { from: 'group', group: night.id, role: 'operator' },
      ],
    })
    expect(denied).toMatchObject({ effect: 'forbids', sources: [{ from: 'exception' }] })
  })

  it('names what gives nothing to somebody without an agency', () => {
    const person = user({ agency: null, roles: ['operator'], effective_permissions: [] })
    expect(explain(person, [operator], [], agencyOf)).toMatchObject([
      { text: 'camera:own:view', effect: 'nothing' },
      { text: 'camera:own:playback', effect: 'nothing' },
    ])
  })

  it('shows also what comes from where one may not look', () => {
    const person = user({ effective_permissions: ['audit:*:view'] })
    expect(explain(person, [], [], agencyOf)).toMatchObject([{ effect: 'gives', sources: [] }])
  })
})

describe('a denial', () => {
  it.each([
    ['!*', 'camera:METRO:view', 'all'],
    ['!camera:*:*', 'camera:METRO:view', 'all'],
    ['!camera:METRO:view', 'camera:METRO:view', 'all'],
    ['!camera:METRO:view', '*', 'part'],
    ['!camera:METRO:view', 'camera:METRO:admin', 'part'],
    ['!camera:METRO:admin', 'camera:METRO:view', 'none'],
    ['!camera:METRO:admin', 'camera:METRO:admin', 'part'],
    ['!camera:BUS:view', 'camera:METRO:view', 'none'],
    ['!user:METRO:view', 'camera:METRO:view', 'none'],
    [`!camera:${camera}:view`, 'camera:METRO:view', 'part'],
    [`!camera:${camera}:view`, 'camera:BUS:view', 'none'],
    [`!camera:${uuid(9)}:view`, 'camera:BUS:view', 'part'],
    ['!camera:METRO:view', `camera:${camera}:view`, 'all'],
    ['!camera:BUS:view', `camera:${camera}:view`, 'none'],
  ] as const)('%s takes of %s: %s', (denial, allowance, taken) => {
    expect(overlap(readRule(denial)!, readRule(allowance)!, agencyOf)).toBe(taken)
  })
})
