import { describe, expect, it } from 'vitest'
import type { Camera } from '@/api/model'
import { camera } from '@mock/builders'
import { bySite, countGroups } from './grouping'

const at = { wall: 0, monotonic: 0 }
const compare = (one: string, other: string) => one.localeCompare(other, 'en', { numeric: true })
const one = (name: string, site: string, state: Camera['health']['state'], agency = 'METRO') =>
  camera({ name, site_id: site, site_name: site, agency, health: { state, age_ms: 100 } })
const cameras = {
  at,
  value: [
    one('Gate 10', 'Depot', 'live'),
    one('Gate 2', 'Depot', 'down'),
    one('Quay', 'Creek', 'offline', 'BUS'),
    one('Bay', 'Creek', 'off', 'BUS'),
  ],
}
const names = (words: string, group?: 'live' | 'trouble' | 'away' | 'off') =>
  bySite(cameras, { words, group }, at, compare).map((site) => [
    site.name,
    site.cameras.map((shown) => shown.name),
  ])

describe('bySite', () => {
  it('orders sites and cameras as people count', () => {
    expect(names('')).toEqual([
      ['Creek', ['Bay', 'Quay']],
      ['Depot', ['Gate 2', 'Gate 10']],
    ])
  })

  it('finds every word, in name, site or agency', () => {
    expect(names('gate dep')).toEqual([['Depot', ['Gate 2', 'Gate 10']]])
    expect(names('BUS quay')).toEqual([['Creek', ['Quay']]])
    expect(names('gate creek')).toEqual([])
  })

  it('shows one group of states', () => {
    expect(names('', 'trouble')).toEqual([['Depot', ['Gate 2']]])
  })

  it('moves everything to the unknown when the coordinator is silent', () => {
    const later = { wall: 60_000, monotonic: 60_000 }
    expect(countGroups(cameras, at)).toEqual({ live: 1, trouble: 1, away: 1, off: 1 })
    expect(countGroups(cameras, later)).toEqual({ live: 0, trouble: 0, away: 4, off: 0 })
  })
})
