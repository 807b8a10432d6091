import { describe, expect, it } from 'vitest'
import type { Heard } from '@/api/heard'
import type { Camera, Health } from '@/api/model'
import { camera } from '@mock/builders'
import { coordinatorTime, seen, STALE_AFTER, UNHEARD_AFTER } from './health'

const at = { wall: 1_000_000, monotonic: 500 }
const later = (ms: number) => ({ wall: at.wall + ms, monotonic: at.monotonic + ms })
const heardNow = (health: Partial<Health>): Heard<Camera> => ({ value: camera({ health }), at })

describe('a live camera', () => {
  const live = heardNow({ state: 'live', age_ms: 400 })

  it('is live while its picture is young', () => {
    expect(seen(live, later(1_000))).toEqual({ state: 'live', pictureAge: 1_400, heardAgo: 1_000 })
  })

  it('goes stale by itself when no younger picture is heard of', () => {
    expect(seen(live, later(STALE_AFTER - 400)).state).toBe('live')
    expect(seen(live, later(STALE_AFTER - 399)).state).toBe('stale')
  })

  it('is unknown to us when the coordinator falls silent', () => {
    expect(seen(live, later(UNHEARD_AFTER + 1)).state).toBe('unheard')
  })

  it('is not live on the word of an answer without a picture', () => {
    expect(seen(heardNow({ state: 'live', age_ms: null }), at).state).toBe('stale')
  })
})

describe('time that passed unseen', () => {
  const live = heardNow({ state: 'live', age_ms: 0 })

  it('counts when the computer slept and one of its clocks stood still', () => {
    expect(seen(live, { ...at, wall: at.wall + 60_000 }).state).toBe('unheard')
    expect(seen(live, { ...at, monotonic: at.monotonic + 60_000 }).state).toBe('unheard')
  })

  it('does not go backwards with the clock', () => {
    expect(seen(live, { wall: 0, monotonic: at.monotonic + 100 }).heardAgo).toBe(100)
  })
})

describe('other states', () => {
  it.each(['down', 'offline', 'off', 'unknown', 'stale'] as const)(
    '%s stays until unheard',
    (state) => {
      expect(seen(heardNow({ state }), later(UNHEARD_AFTER)).state).toBe(state)
      expect(seen(heardNow({ state }), later(UNHEARD_AFTER + 1)).state).toBe('unheard')
    },
  )
})

describe('the coordinator’s clock', () => {
  it('is the time of the picture plus its age', () => {
    const heard = heardNow({ last_picture: '2026-11-23T10:00:00.000Z', age_ms: 300 })
    expect(coordinatorTime(heard, later(700))).toBe(Date.parse('2026-11-23T10:00:01.000Z'))
    expect(coordinatorTime(heardNow({ last_picture: null, age_ms: null }), at)).toBeUndefined()
  })
})
