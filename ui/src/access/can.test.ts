import { describe, expect, it } from 'vitest'
import { me } from '@mock/builders'
import { can } from './can'

const configure = { kind: 'camera', agency: 'METRO', deed: 'configure' } as const

describe('can', () => {
  it.each([
    [['camera:METRO:configure'], true],
    [['camera:*:configure'], true],
    [['*:*:*'], true],
    [['camera:BUS:configure'], false],
    [['camera:METRO:view'], false],
    [['agent:*:manage'], false],
    [['camera'], false],
    [[], false],
  ])('%j allows configuring a METRO camera: %s', (permissions, allowed) => {
    expect(can(me({ permissions }), configure)).toBe(allowed)
  })

  it('allows nobody nothing', () => {
    expect(can(null, configure)).toBe(false)
    expect(can(undefined, { kind: 'agent', deed: 'manage' })).toBe(false)
  })
})
