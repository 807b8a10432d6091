/** Every address of the interface. */
import type { Day } from '@/time/zone'

export const paths = {
  signIn: () => '/sign-in',
  sites: () => '/',
  camera: (id: string) => `/cameras/${encodeURIComponent(id)}`,
  cameraSettings: (id: string) => `/cameras/${encodeURIComponent(id)}/settings`,
  wall: () => '/wall',
  agents: () => '/agents',
  profile: () => '/profile',
  tokens: () => '/tokens',
  tokensOf: (user: string) => `/tokens?user=${encodeURIComponent(user)}`,
  admin: () => '/admin',
  people: () => '/admin/people',
  newPerson: () => '/admin/people/new',
  person: (id: string) => `/admin/people/${encodeURIComponent(id)}`,
  groups: () => '/admin/groups',
  newGroup: () => '/admin/groups/new',
  group: (id: string) => `/admin/groups/${encodeURIComponent(id)}`,
  roles: () => '/admin/roles',
  // Beside the roles and not below them: `new` is a code that a role may have.
  newRole: () => '/admin/new-role',
  role: (code: string) => `/admin/roles/${encodeURIComponent(code)}`,
  agencies: () => '/admin/agencies',
  audit: () => '/admin/audit',
} as const

/** What the camera page looks at: an instant to play from, or a day to look through; else the present. */
export type CameraView = Readonly<{ at?: number; day?: Day }>

export function cameraSearch({ at, day }: CameraView): URLSearchParams {
  const search = new URLSearchParams()
  if (day) search.set('day', day)
  if (at !== undefined) search.set('at', new Date(at).toISOString())
  return search
}

export function readCameraSearch(search: URLSearchParams): {
  at: number | undefined
  day: string | null
} {
  const at = Date.parse(search.get('at') ?? '')
  return { at: Number.isNaN(at) ? undefined : at, day: search.get('day') }
}
