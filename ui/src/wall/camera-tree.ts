/** The list of cameras beside the wall: folders with cameras in them, and what a search leaves. Pure. */
import type { Camera } from '@/api/model'
import { hasWords } from '@/people/matching'

export type Folder = Readonly<{
  id: string
  name: string
  /** Where it comes from: the cameras' sites, or somebody made it. */
  kind: 'site' | 'personal' | 'shared'
  folders: readonly Folder[]
  cameras: readonly Camera[]
}>

/** A line of the list as it is shown, from top to bottom. */
export type Row =
  | Readonly<{ is: 'folder'; depth: number; folder: Folder; open: boolean; count: number }>
  | Readonly<{ is: 'camera'; depth: number; camera: Camera; parent: string }>

type Compare = (one: string, other: string) => number

/** One folder for each site. */
export function siteFolders(cameras: readonly Camera[], compare: Compare): Folder[] {
  const sites = new Map<string, { name: string; cameras: Camera[] }>()
  for (const camera of cameras) {
    const site = sites.get(camera.site_id) ?? { name: camera.site_name, cameras: [] }
    sites.set(camera.site_id, site)
    site.cameras.push(camera)
  }
  return [...sites]
    .map(([id, site]): Folder => {
      const sorted = site.cameras.sort((one, other) => compare(one.name, other.name))
      return { id, name: site.name, kind: 'site', folders: [], cameras: sorted }
    })
    .sort((one, other) => compare(one.name, other.name))
}

/** What matches, and the folders that lead to it. A folder that matches keeps everything that is in it. */
export function search(folders: readonly Folder[], words: string): Folder[] {
  if (words.trim() === '') return [...folders]
  return folders.flatMap((folder) => {
    if (folder.kind !== 'site' && hasWords(words, [folder.name])) return [folder]
    const cameras = folder.cameras.filter((camera) =>
      hasWords(words, [camera.name, camera.site_name, camera.agency, folder.name]),
    )
    const inner = search(folder.folders, words)
    return cameras.length + inner.length > 0 ? [{ ...folder, folders: inner, cameras }] : []
  })
}

/** The lines, without what is in closed folders. */
export function rows(folders: readonly Folder[], closed: ReadonlySet<string>, depth = 1): Row[] {
  return folders.flatMap((folder): Row[] => {
    const open = !closed.has(folder.id)
    const count = camerasIn(folder).length
    const head: Row = { is: 'folder', depth, folder, open, count }
    if (!open) return [head]
    return [
      head,
      ...rows(folder.folders, closed, depth + 1),
      ...folder.cameras.map((camera): Row => ({
        is: 'camera',
        depth: depth + 1,
        camera,
        parent: folder.id,
      })),
    ]
  })
}

/** Each once, in the order in which they are seen. */
export function camerasIn(folder: Folder): Camera[] {
  const all = [...folder.folders.flatMap(camerasIn), ...folder.cameras]
  return [...new Map(all.map((camera) => [camera.id, camera])).values()]
}

export const keyOf = (row: Row): string =>
  row.is === 'folder' ? row.folder.id : `${row.parent} ${row.camera.id}`
