import { describe, expect, it } from 'vitest'
import { me } from '@mock/builders'
import { can, canSome } from './can'

const id = '01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4'
const configure = { kind: 'camera', agency: 'METRO', id, action: 'configure' } as const

describe('can', () => {
  it.each([
    [['camera:METRO:configure'], true],
    [['camera:*:configure'], true],
    [['*'], true],
    [['*:*:*'], true],
    [['camera:METRO:admin'], true],
    [[`camera:${id}:configure`], true],
    [['camera:BUS:configure'], false],
    [['camera:METRO:view'], false],
    [['agent:*:admin'], false],
    [['camera'], false],
    [[], false],
    [['*', '!camera:METRO:configure'], false],
    [['*', `!camera:${id}:*`], false],
    [['*', '!camera:BUS:configure'], true],
    [['camera:METRO:configure', '!camera:METRO:admin'], true],
  ])('%j allows configuring a METRO camera: %s', (permissions, allowed) => {
    expect(can(me({ permissions }), configure)).toBe(allowed)
  })

  it('allows nobody nothing', () => {
    expect(can(null, configure)).toBe(false)
    expect(can(undefined, { kind: 'agent', action: 'admin' })).toBe(false)
  })
})

describe('canSome', () => {
  it.each([
    [['user:METRO:admin'], true],
    [['user:*:view'], true],
    [['*'], true],
    [['camera:METRO:view'], false],
    [['user:METRO:view', '!user:*:view'], false],
    [['user:METRO:view', '!user:BUS:view'], true],
  ])('%j shows some people: %s', (permissions, allowed) => {
    expect(canSome(me({ permissions }), 'user', 'view')).toBe(allowed)
  })
})
