import { describe, expect, it } from 'vitest'
import { agent } from '@mock/builders'
import { seenAgent, sharesOf } from './agent-state'

const buffer = (total: number, free: number, used: number, unsent: number) => ({
  total_bytes: total,
  free_bytes: free,
  used_bytes: used,
  unsent_bytes: unsent,
})

describe('sharesOf', () => {
  it('divides the disk', () => {
    expect(sharesOf(buffer(100, 40, 50, 20))).toEqual({
      sent: expect.closeTo(0.3) as number,
      unsent: expect.closeTo(0.2) as number,
      other: expect.closeTo(0.1) as number,
    })
  })

  it.each([
    [0, 0, 0, 0],
    [100, 120, 50, 70],
    [100, 90, 50, 0],
    [100, 0, 300, 10],
  ])('never shows less than nothing or more than all (%d %d %d %d)', (...figures) => {
    const shares = Object.values(sharesOf(buffer(...figures)))
    for (const share of shares) {
      expect(share).toBeGreaterThanOrEqual(0)
      expect(share).toBeLessThanOrEqual(1)
    }
  })
})

describe('seenAgent', () => {
  const at = { wall: 0, monotonic: 0 }

  it('is the coordinator’s word while it is fresh', () => {
    const heard = { value: agent({ state: 'connected' }), at }
    expect(seenAgent(heard, { wall: 9_000, monotonic: 9_000 })).toBe('connected')
    expect(seenAgent(heard, { wall: 11_000, monotonic: 11_000 })).toBe('unheard')
  })
})
