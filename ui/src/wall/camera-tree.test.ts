import { describe, expect, it } from 'vitest'
import { camera } from '@mock/builders'
import { camerasIn, rows, search, siteFolders, type Folder } from './camera-tree'

const compare = new Intl.Collator('en', { numeric: true }).compare
const depot = { site_id: 's1', site_name: 'Depot', agency: 'OTHER' }
const creek = { site_id: 's2', site_name: 'Creek crossing', agency: 'OTHER' }
const cameras = [
  camera({ ...depot, name: 'Gate 10' }),
  camera({ ...depot, name: 'Gate 9' }),
  camera({ ...creek, name: 'مدخل المحطة', agency: 'METRO' }),
  camera({ ...creek, name: 'Café terrace', agency: 'BUS' }),
]
const sites = siteFolders(cameras, compare)
const names = (folders: readonly Folder[]) =>
  rows(folders, new Set()).map((row) => (row.is === 'folder' ? row.folder.name : row.camera.name))

describe('the list of cameras', () => {
  it('has the sites and their cameras in order', () => {
    expect(names(sites)).toEqual([
      'Creek crossing',
      'Café terrace',
      'مدخل المحطة',
      'Depot',
      'Gate 9',
      'Gate 10',
    ])
  })

  it('does not show what is in a closed folder', () => {
    const shown = rows(sites, new Set(['s2']))
    expect(shown).toHaveLength(4)
    expect(shown[0]).toMatchObject({ is: 'folder', open: false, count: 2 })
  })

  it.each([
    ['gate 9', ['Depot', 'Gate 9']],
    ['cafe', ['Creek crossing', 'Café terrace']],
    ['المحطه', ['Creek crossing', 'مدخل المحطة']],
    ['metro', ['Creek crossing', 'مدخل المحطة']],
    ['creek', ['Creek crossing', 'Café terrace', 'مدخل المحطة']],
    ['nothing like this', []],
  ])('is searched in both languages: %s', (words, found) => {
    expect(names(search(sites, words))).toEqual(found)
  })

  it('shows folders in folders, and a camera once where it is asked for as a whole', () => {
    const inner: Folder = {
      id: 'f2',
      name: 'Night',
      kind: 'personal',
      folders: [],
      cameras: cameras.slice(0, 2),
    }
    const outer: Folder = {
      id: 'f1',
      name: 'Mine',
      kind: 'personal',
      folders: [inner],
      cameras: cameras.slice(1, 3),
    }
    expect(rows([outer], new Set()).map((row) => row.depth)).toEqual([1, 2, 3, 3, 2, 2])
    expect(camerasIn(outer)).toHaveLength(3)
    expect(names(search([outer], 'night'))).toEqual(['Mine', 'Night', 'Gate 10', 'Gate 9'])
  })
})
