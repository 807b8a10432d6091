import { expect, it } from 'vitest'
import { cameraSearch, paths, readCameraSearch } from './paths'

it('every address of the interface', () => {
  const id = '01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4'
  const all = Object.entries(paths).map(([name, path]) => [name, path(id)])
  expect(Object.fromEntries(all)).toMatchInlineSnapshot(`
    {
      "admin": "/admin",
      "agencies": "/admin/agencies",
      "agents": "/agents",
      "audit": "/admin/audit",
      "camera": "/cameras/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
      "cameraSettings": "/cameras/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4/settings",
      "group": "/admin/groups/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
      "groups": "/admin/groups",
      "newGroup": "/admin/groups/new",
      "newPerson": "/admin/people/new",
      "newRole": "/admin/new-role",
      "people": "/admin/people",
      "person": "/admin/people/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
      "profile": "/profile",
      "role": "/admin/roles/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
      "roles": "/admin/roles",
      "signIn": "/sign-in",
      "sites": "/",
      "tokens": "/tokens",
      "tokensOf": "/tokens?user=01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
      "wall": "/wall",
    }
  `)
})

it('an id cannot change the path', () => {
  expect(paths.camera('../agents?x#y')).toBe('/cameras/..%2Fagents%3Fx%23y')
})

it('what the camera page looks at is in its address', () => {
  const at = Date.parse('2026-11-23T10:00:00.250Z')
  expect(cameraSearch({ at }).toString()).toBe('at=2026-11-23T10%3A00%3A00.250Z')
  expect(readCameraSearch(cameraSearch({ at, day: '2026-11-23' }))).toEqual({
    at,
    day: '2026-11-23',
  })
  expect(readCameraSearch(new URLSearchParams('at=yesterday'))).toEqual({
    at: undefined,
    day: null,
  })
})
