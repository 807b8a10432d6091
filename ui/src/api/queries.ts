/** What can be asked of the coordinator, with how long an answer keeps. */
import { infiniteQueryOptions, queryOptions, type QueryClient } from '@tanstack/react-query'
import type { TimeRange } from '@/time/range'
import { api, ask } from './client'
import { isUnauthenticated } from './errors'
import { heard } from './heard'
import { everyPage } from './pages'
import type { Me } from './model'

/** How often health is asked for while a page shows it. */
export const HEALTH_INTERVAL = 2_000
const TIMELINE_INTERVAL = 10_000

/** Who is signed in; `null` for nobody. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }): Promise<Me | null> =>
    ask(api.GET('/api/v1/session', { signal })).catch((error: unknown) => {
      if (isUnauthenticated(error)) return null
      throw error
    }),
  staleTime: 60_000,
  // Until it is known who asks, nothing else is asked for; so keep asking.
  refetchInterval: ({ state }) => (state.data === undefined ? 3_000 : false),
})

export const sitesQuery = queryOptions({
  queryKey: ['sites'],
  queryFn: ({ signal }) =>
    everyPage((query) => ask(api.GET('/api/v1/sites', { params: { query }, signal }))),
  refetchInterval: 30_000,
})

export const agentsQuery = queryOptions({
  queryKey: ['agents'],
  queryFn: async ({ signal }) =>
    heard(
      await everyPage((query) => ask(api.GET('/api/v1/agents', { params: { query }, signal }))),
    ),
  refetchInterval: HEALTH_INTERVAL,
})

export const camerasQuery = queryOptions({
  queryKey: ['cameras'],
  queryFn: async ({ signal }) =>
    heard(
      await everyPage((query) => ask(api.GET('/api/v1/cameras', { params: { query }, signal }))),
    ),
  refetchInterval: HEALTH_INTERVAL,
})

export const cameraQuery = (id: string) =>
  queryOptions({
    queryKey: ['cameras', id],
    queryFn: async ({ signal }) =>
      heard(await ask(api.GET('/api/v1/cameras/{id}', { params: { path: { id } }, signal }))),
    refetchInterval: HEALTH_INTERVAL,
  })

/** Coverage of a stretch; asked again only while its end is still to come. */
export const timelineQuery = (id: string, range: TimeRange, interval = TIMELINE_INTERVAL) =>
  queryOptions({
    queryKey: ['cameras', id, 'timeline', range.from, range.to],
    queryFn: ({ signal }) =>
      ask(
        api.GET('/api/v1/cameras/{id}/timeline', {
          params: {
            path: { id },
            query: {
              from: new Date(range.from).toISOString(),
              to: new Date(range.to).toISOString(),
              stream: 'main',
            },
          },
          signal,
        }),
      ),
    staleTime: interval / 2,
    refetchInterval: interval,
  })

/** Lists of people and of what they may do change seldom, and by hand. */
const DIRECTORY = { staleTime: 10_000, refetchInterval: 60_000 } as const

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) =>
    everyPage((query) => ask(api.GET('/api/v1/iam/users', { params: { query }, signal }))),
  ...DIRECTORY,
})

export const userQuery = (id: string) =>
  queryOptions({
    queryKey: ['users', id],
    queryFn: ({ signal }) =>
      ask(api.GET('/api/v1/iam/users/{id}', { params: { path: { id } }, signal })),
    ...DIRECTORY,
  })

export const ownUserQuery = queryOptions({
  queryKey: ['users', 'own'],
  queryFn: ({ signal }) => ask(api.GET('/api/v1/iam/me', { signal })),
  ...DIRECTORY,
})

export const groupsQuery = queryOptions({
  queryKey: ['groups'],
  queryFn: ({ signal }) =>
    everyPage((query) => ask(api.GET('/api/v1/iam/groups', { params: { query }, signal }))),
  ...DIRECTORY,
})

export const groupQuery = (id: string) =>
  queryOptions({
    queryKey: ['groups', id],
    queryFn: ({ signal }) =>
      ask(api.GET('/api/v1/iam/groups/{id}', { params: { path: { id } }, signal })),
    ...DIRECTORY,
  })

export const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: ({ signal }) =>
    everyPage((query) => ask(api.GET('/api/v1/iam/roles', { params: { query }, signal }))),
  ...DIRECTORY,
})

export const agenciesQuery = queryOptions({
  queryKey: ['agencies'],
  queryFn: ({ signal }) =>
    everyPage((query) => ask(api.GET('/api/v1/iam/agencies', { params: { query }, signal }))),
  ...DIRECTORY,
})

/** How one may sign in; a provider may come back while somebody waits for it. */
export const signInMethodsQuery = queryOptions({
  queryKey: ['sign-in-methods'],
  queryFn: ({ signal }) => ask(api.GET('/api/v1/session/methods', { signal })),
  refetchInterval: 10_000,
})

/** The sentences of every error, for one that comes as its code. */
export const errorsQuery = queryOptions({
  queryKey: ['errors'],
  queryFn: async ({ signal }) => (await ask(api.GET('/api/v1/errors', { signal }))).items,
  staleTime: Infinity,
})

/** Where one is signed in; others end and begin it, so it is looked at often. */
export const ownSessionsQuery = queryOptions({
  queryKey: ['sessions', 'own'],
  queryFn: async ({ signal }) => (await ask(api.GET('/api/v1/iam/me/sessions', { signal }))).items,
  refetchInterval: 30_000,
})

export const sessionsOfQuery = (user: string) =>
  queryOptions({
    queryKey: ['sessions', user],
    queryFn: async ({ signal }) =>
      (
        await ask(
          api.GET('/api/v1/iam/users/{id}/sessions', { params: { path: { id: user } }, signal }),
        )
      ).items,
    refetchInterval: 30_000,
  })

/** By what issuers outside know somebody. */
export const identitiesQuery = (user: string) =>
  queryOptions({
    queryKey: ['identities', user],
    queryFn: async ({ signal }) =>
      (
        await ask(
          api.GET('/api/v1/iam/users/{id}/identities', { params: { path: { id: user } }, signal }),
        )
      ).items,
    ...DIRECTORY,
  })

export const secondFactorQuery = queryOptions({
  queryKey: ['second-factor'],
  queryFn: ({ signal }) => ask(api.GET('/api/v1/iam/me/second-factor', { signal })),
})

/** One's own for `undefined`. */
export const apiTokensQuery = (user: string | undefined) =>
  queryOptions({
    queryKey: ['api-tokens', user ?? 'own'],
    queryFn: async ({ signal }) => {
      const query = user === undefined ? {} : { user }
      return (await ask(api.GET('/api/v1/iam/api-tokens', { params: { query }, signal }))).items
    },
    refetchInterval: 30_000,
  })

/** As the address of the page and of an export say it; what is empty is left out. */
export type AuditSearch = Readonly<{
  from?: string
  to?: string
  what?: string
  user?: string
  agency?: string
  object?: string
  address?: string
  text?: string
}>

const AUDIT_PAGE = 100

/** Entries, newest first. Each search is itself an entry, so it is made once and not repeated. */
export const auditQuery = (search: AuditSearch) =>
  infiniteQueryOptions({
    queryKey: ['audit', search],
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET('/api/v1/audit', {
          params: {
            query: { ...search, limit: AUDIT_PAGE, ...(pageParam ? { after: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })

export const auditChainQuery = queryOptions({
  queryKey: ['audit-chain'],
  queryFn: ({ signal }) => ask(api.GET('/api/v1/audit/chain', { signal })),
  refetchInterval: 30_000,
})

/** Whether somebody was signed out without asking for it, since anybody last signed in. */
export const farewellQuery = queryOptions({
  queryKey: ['farewell'],
  queryFn: () => false,
  initialData: false,
  staleTime: Infinity,
  gcTime: Infinity,
})

/** The session has ended, whoever or whatever ended it. */
export function endSession(client: QueryClient): void {
  const before: Me | null | undefined = client.getQueryData(sessionQuery.queryKey)
  if (before) {
    forget(client)
    client.setQueryData(farewellQuery.queryKey, true)
  } else {
    // What was asked before and is refused after it is no second end.
    client.setQueryData(sessionQuery.queryKey, null)
  }
}

/** Somebody has signed in. */
export function beginSession(client: QueryClient, me: Me): void {
  client.setQueryData(farewellQuery.queryKey, false)
  client.setQueryData(sessionQuery.queryKey, me)
}

/** Forgets everything that belongs to the person who was signed in. */
export function forget(client: QueryClient): void {
  client.setQueryData(farewellQuery.queryKey, false)
  client.setQueryData(sessionQuery.queryKey, null)
  const kept: readonly unknown[] = [sessionQuery.queryKey[0], farewellQuery.queryKey[0]]
  client.removeQueries({ predicate: ({ queryKey }) => !kept.includes(queryKey[0]) })
}
