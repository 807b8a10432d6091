/** People, groups, roles and agencies of the mock, and what can be done with them. */
import { http, HttpResponse, type HttpHandler } from 'msw'
import type {
  Agency,
  Group,
  GroupReplacement,
  GroupWithMembers,
  Name,
  NewUser,
  Role,
  User,
  UserReplacement,
  UserStatus,
} from '@/api/model'
import { group, role, user, uuid } from './builders'

const agencies: Agency[] = [
  { code: 'BUS', name: { en: 'Public Bus', ar: 'الحافلات العامة' }, revision: 1 },
  { code: 'DUBAI_POLICE', name: { en: 'Dubai Police', ar: 'شرطة دبي' }, revision: 1 },
  { code: 'METRO', name: { en: 'Dubai Metro', ar: 'مترو دبي' }, revision: 1 },
  { code: 'OTHER', name: { en: 'Other agencies', ar: 'جهات أخرى' }, revision: 1 },
]

const roles: Role[] = [
  role({
    code: 'administrator',
    name: { en: 'Administrator', ar: 'مدير النظام' },
    permissions: ['*'],
    built_in: true,
  }),
  role({
    code: 'agency_administrator',
    name: { en: 'Agency administrator', ar: 'مدير الجهة' },
    permissions: [
      'camera:own:*',
      'user:own:admin',
      'group:own:admin',
      'audit:own:view',
      'agency:own:view',
    ],
    built_in: true,
  }),
  role({
    code: 'auditor',
    name: { en: 'Auditor', ar: 'مدقّق' },
    permissions: ['audit:*:view', 'audit:*:export'],
    built_in: true,
  }),
  role({ built_in: true }),
  role({
    code: 'shift_leader',
    name: { en: 'Shift leader', ar: 'رئيس الوردية' },
    permissions: ['camera:own:export'],
  }),
]

const groups: Group[] = [
  group({ id: uuid(0x61), agency: 'METRO', roles: ['operator'] }),
  group({
    id: uuid(0x62),
    name: { en: 'Incident room', ar: 'غرفة الطوارئ المشتركة بين جميع الجهات' },
    permissions: ['camera:own:export', `camera:${uuid(5)}:view`],
  }),
]

const named: Omit<Partial<User>, 'effective_permissions'>[] = [
  { id: uuid(0xff), login: 'admin', display_name: 'Administrator', roles: ['administrator'] },
  {
    id: uuid(0x71),
    login: 'layla.hassan',
    email: 'layla.hassan@metro.example',
    employee_number: '10482',
    agency: 'METRO',
    department: 'Rail operations',
    section: 'Red line',
    roles: ['operator'],
    groups: [nameOf(uuid(0x61))],
    permissions: [`!camera:${uuid(2)}:playback`],
  },
  {
    id: uuid(0x72),
    login: 'omar.said',
    display_name: 'Omar Said',
    arabic_name: 'عمر عبد الرحمن سعيد المنصوري',
    employee_number: '20931',
    agency: 'BUS',
    roles: ['operator'],
  },
  {
    id: uuid(0x73),
    login: 'hind.ali',
    display_name: 'Hind Ali',
    arabic_name: 'هند علي',
    agency: 'DUBAI_POLICE',
    roles: ['agency_administrator'],
    status: 'DISABLED',
  },
  {
    id: uuid(0x74),
    login: 'audit',
    display_name: 'External auditor',
    roles: ['auditor', 'operator'],
  },
]

function nameOf(id: string) {
  return { id, name: groups.find((one) => one.id === id)!.name }
}

/** Enough for a second page. */
const CROWD = 60

const people: User[] = [
  ...named.map((parts) =>
    user({
      arabic_name: parts.arabic_name ?? (parts.login === 'layla.hassan' ? 'ليلى حسن' : null),
      ...parts,
    }),
  ),
  ...Array.from({ length: CROWD }, (_, index) =>
    user({
      id: uuid(0x200 + index),
      login: `driver.${index + 1}`,
      display_name: `Driver ${index + 1}`,
      arabic_name: `سائق ${index + 1}`,
      agency: 'BUS',
      roles: ['operator'],
    }),
  ),
]

const rulesOf = (code: string) => roles.find((one) => one.code === code)?.permissions ?? []

function complete(one: User): User {
  const ofGroups = one.groups.flatMap(({ id }) => {
    const found = groups.find((known) => known.id === id)
    return [...(found?.permissions ?? []), ...(found?.roles ?? []).flatMap(rulesOf)]
  })
  const all = [...one.roles.flatMap(rulesOf), ...ofGroups, ...one.permissions]
    .map((rule) => rule.replace(':own:', one.agency ? `:${one.agency}:` : ':own:'))
    .filter((rule) => !rule.includes(':own:'))
  const effective = [...new Set(all)].sort(
    (a, b) => Number(a.startsWith('!')) - Number(b.startsWith('!')) || (a < b ? -1 : 1),
  )
  return { ...one, effective_permissions: effective }
}

const withMembers = (one: Group): GroupWithMembers => {
  const members = people.filter((person) => person.groups.some(({ id }) => id === one.id))
  return {
    ...one,
    members: members.length,
    people: members.map(({ id, login, display_name, agency }) => ({
      id,
      login,
      display_name,
      agency: agency ?? null,
    })),
  }
}

export type MockRefusal =
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'taken'
  | 'built_in'
  | 'in_use'
  | 'weak_password'
  | 'wrong_password'

type Tools = Readonly<{
  guard: () => Response | undefined
  isAdministrator: () => boolean
  login: () => string | undefined
  signOut: () => void
  problem: (code: MockRefusal, details?: string) => Response
}>

/** Somebody else renames Omar; for the conflict that follows. */
export function changeBehindTheBack(id: string, change: Partial<User>): void {
  const found = people.find((one) => one.id === id)
  if (found) Object.assign(found, change, { revision: found.revision + 1 })
}

export function directoryHandlers(tools: Tools): HttpHandler[] {
  const { guard, isAdministrator, problem } = tools
  const refuse = () => guard() ?? (isAdministrator() ? undefined : problem('forbidden'))
  const items =
    <T>(list: () => T[]) =>
    () =>
      refuse() ?? HttpResponse.json({ items: list() })
  const change = <T extends { revision: number }>(
    found: T | undefined,
    revision: number,
    parts: Partial<T>,
  ): T | Response => {
    const refusal = refuse()
    if (refusal) return refusal
    if (!found) return problem('not_found')
    if (revision !== found.revision) return problem('conflict')
    return Object.assign(found, parts, { revision: found.revision + 1 })
  }
  const answer = (changed: unknown) =>
    changed instanceof Response ? changed : HttpResponse.json(changed as object)
  const person = (id: unknown) => people.find((one) => one.id === id)

  return [
    http.get('/api/v1/iam/me', () => {
      const own = people.find((one) => one.login === tools.login())
      return guard() ?? HttpResponse.json(complete(own ?? people[0]!))
    }),
    http.put('/api/v1/iam/me/password', async ({ request }) => {
      const body = (await request.json()) as { old_password: string; new_password: string }
      if (body.old_password === 'wrong') return problem('wrong_password')
      if (body.new_password.startsWith('password')) return problem('weak_password')
      tools.signOut()
      return new HttpResponse(null, { status: 204 })
    }),
    http.get(
      '/api/v1/iam/users',
      items(() => people.map(complete)),
    ),
    http.post('/api/v1/iam/users', async ({ request }) => {
      const { password, ...body } = (await request.json()) as NewUser
      if (password?.startsWith('password')) return problem('weak_password')
      if (people.some((one) => one.login === body.login)) return problem('taken', 'the login')
      const made = user({ arabic_name: null, ...(body as Partial<User>) })
      people.push(made)
      return refuse() ?? HttpResponse.json(complete(made), { status: 201 })
    }),
    http.get('/api/v1/iam/users/:id', ({ params }) => {
      const found = person(params.id)
      return refuse() ?? (found ? HttpResponse.json(complete(found)) : problem('not_found'))
    }),
    http.put('/api/v1/iam/users/:id', async ({ params, request }) => {
      const { revision, ...body } = (await request.json()) as UserReplacement
      const gone = { arabic_name: null, email: null, employee_number: null, agency: null }
      const parts = { ...gone, department: null, section: null, ...body } as Partial<User>
      const changed = change(person(params.id), revision, parts)
      return answer(changed instanceof Response ? changed : complete(changed))
    }),
    http.patch('/api/v1/iam/users/:id/status', async ({ params, request }) => {
      const { status } = (await request.json()) as { status: UserStatus }
      const found = person(params.id)
      const changed = change(found, found?.revision ?? 0, { status })
      return answer(changed instanceof Response ? changed : complete(changed))
    }),
    http.put('/api/v1/iam/users/:id/password', async ({ request }) => {
      const { password } = (await request.json()) as { password: string }
      if (password.startsWith('password')) return problem('weak_password')
      return refuse() ?? new HttpResponse(null, { status: 204 })
    }),
    http.post('/api/v1/iam/users/:id/groups', async ({ params, request }) => {
      const { group_id } = (await request.json()) as { group_id: string }
      const found = person(params.id)
      const next = [...(found?.groups ?? []), nameOf(group_id)]
      const changed = change(found, found?.revision ?? 0, { groups: next })
      return answer(changed instanceof Response ? changed : complete(changed))
    }),
    http.delete('/api/v1/iam/users/:id/groups/:group', ({ params }) => {
      const found = person(params.id)
      const next = (found?.groups ?? []).filter(({ id }) => id !== params.group)
      const changed = change(found, found?.revision ?? 0, { groups: next })
      return answer(changed instanceof Response ? changed : complete(changed))
    }),
    http.get(
      '/api/v1/iam/groups',
      items(() =>
        groups.map((one) => {
          return { ...one, members: withMembers(one).members }
        }),
      ),
    ),
    http.post('/api/v1/iam/groups', async ({ request }) => {
      const made = group((await request.json()) as Partial<Group>)
      groups.push(made)
      return refuse() ?? HttpResponse.json(made, { status: 201 })
    }),
    http.get('/api/v1/iam/groups/:id', ({ params }) => {
      const found = groups.find((one) => one.id === params.id)
      return refuse() ?? (found ? HttpResponse.json(withMembers(found)) : problem('not_found'))
    }),
    http.put('/api/v1/iam/groups/:id', async ({ params, request }) => {
      const { revision, ...body } = (await request.json()) as GroupReplacement
      const found = groups.find((one) => one.id === params.id)
      return answer(change(found, revision, { agency: null, ...body }))
    }),
    http.delete('/api/v1/iam/groups/:id', ({ params }) => {
      const index = groups.findIndex((one) => one.id === params.id)
      if (index < 0) return problem('not_found')
      groups.splice(index, 1)
      return refuse() ?? new HttpResponse(null, { status: 204 })
    }),
    http.get(
      '/api/v1/iam/roles',
      items(() => roles),
    ),
    http.post('/api/v1/iam/roles', async ({ request }) => {
      const body = (await request.json()) as Pick<Role, 'code' | 'name' | 'permissions'>
      if (roles.some((one) => one.code === body.code)) return problem('taken', 'the code')
      const made = role(body)
      roles.push(made)
      return refuse() ?? HttpResponse.json(made, { status: 201 })
    }),
    http.put('/api/v1/iam/roles/:code', async ({ params, request }) => {
      const body = (await request.json()) as Role
      const found = roles.find((one) => one.code === params.code)
      if (found?.built_in) return problem('built_in')
      const { revision, name, permissions } = body
      return answer(change(found, revision, { name, permissions }))
    }),
    http.delete('/api/v1/iam/roles/:code', ({ params }) => {
      if (people.some((one) => one.roles.includes(String(params.code)))) return problem('in_use')
      const index = roles.findIndex((one) => one.code === params.code)
      if (index >= 0) roles.splice(index, 1)
      return refuse() ?? new HttpResponse(null, { status: 204 })
    }),
    http.get(
      '/api/v1/iam/agencies',
      items(() => agencies),
    ),
    http.post('/api/v1/iam/agencies', async ({ request }) => {
      const body = (await request.json()) as Pick<Agency, 'code' | 'name'>
      if (agencies.some((one) => one.code === body.code)) return problem('taken', 'the code')
      const made = { ...body, revision: 1 }
      agencies.push(made)
      return refuse() ?? HttpResponse.json(made, { status: 201 })
    }),
    http.put('/api/v1/iam/agencies/:code', async ({ params, request }) => {
      const { name, revision } = (await request.json()) as { name: Name; revision: number }
      const found = agencies.find((one) => one.code === params.code)
      return answer(change(found, revision, { name }))
    }),
  ]
}
