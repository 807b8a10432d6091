/** Which cameras are shown, and under which site. Pure. */
import type { Heard } from '@/api/heard'
import { keepTime } from '@/api/heard'
import type { Camera } from '@/api/model'
import type { Now } from '@/hooks/use-now'
import { groupOf, seen, type Group } from './health'

export type SiteGroup = Readonly<{ id: string; name: string; cameras: readonly Camera[] }>

/** What the person is looking for. */
export type Filter = Readonly<{ words: string; group: Group | undefined }>

/** Sites in order of their names, each with its cameras that match. */
export function bySite(
  cameras: Heard<readonly Camera[]>,
  filter: Filter,
  now: Now,
  compare: (one: string, other: string) => number,
): SiteGroup[] {
  const sites = new Map<string, { id: string; name: string; cameras: Camera[] }>()
  for (const camera of cameras.value) {
    const site = sites.get(camera.site_id) ?? {
      id: camera.site_id,
      name: camera.site_name,
      cameras: [],
    }
    sites.set(camera.site_id, site)
    const state = seen(keepTime(cameras, camera), now).state
    const fits = filter.group === undefined || groupOf(state) === filter.group
    if (fits && matches(camera, filter.words)) site.cameras.push(camera)
  }
  return [...sites.values()]
    .filter((site) => site.cameras.length > 0)
    .sort((one, other) => compare(one.name, other.name))
    .map((site) => ({
      ...site,
      cameras: site.cameras.sort((one, other) => compare(one.name, other.name)),
    }))
}

/** Every word is in the camera's name, site or agency. */
function matches(camera: Camera, words: string): boolean {
  const text = `${camera.name} ${camera.site_name} ${camera.agency}`.toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** How many cameras are in each group. */
export function countGroups(cameras: Heard<readonly Camera[]>, now: Now): Record<Group, number> {
  const counts = { live: 0, trouble: 0, away: 0, off: 0 }
  for (const camera of cameras.value) counts[groupOf(seen(keepTime(cameras, camera), now).state)]++
  return counts
}
