import { describe, expect, it } from 'vitest'
import { isCameraScope, readRule, ruleOf, writeRule } from './rule'

const id = '01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4'

describe('a rule', () => {
  it.each(['*', '!*', 'camera:METRO:view', `!camera:${id}:*`, '*:METRO:admin', 'user:own:admin'])(
    '%s reads and is written the same',
    (text) => {
      const rule = readRule(text)
      expect(rule && writeRule(rule)).toBe(text)
      expect(rule?.allows).toBe(!text.startsWith('!'))
    },
  )

  it.each([
    '',
    '!',
    'camera',
    'camera:METRO',
    'camera::view',
    'door:METRO:view',
    'camera:*:fly',
    'a:b:c:d',
  ])('%j is none', (text) => {
    expect(readRule(text)).toBeUndefined()
  })

  it('about the own agency means the one that somebody has', () => {
    const rule = readRule('camera:own:view')!
    expect(ruleOf(rule, 'METRO')).toEqual({ ...rule, scope: 'METRO' })
    expect(ruleOf(rule, null)).toBeUndefined()
    expect(ruleOf(readRule('camera:BUS:view')!, null)?.scope).toBe('BUS')
  })

  it('about one camera is told from one about an agency', () => {
    expect(isCameraScope(id)).toBe(true)
    expect(isCameraScope('DUBAI_POLICE')).toBe(false)
  })
})
