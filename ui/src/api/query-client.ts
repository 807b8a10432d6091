import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { isUnauthenticated, RefusedError } from './errors'
import { endSession } from './queries'

/** A cache of what the coordinator says. A session that ended is noticed by whoever asks next. */
export function createQueryClient(): QueryClient {
  const noticeEndedSession = (error: unknown) => {
    if (isUnauthenticated(error)) endSession(client)
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: noticeEndedSession }),
    mutationCache: new MutationCache({ onError: noticeEndedSession }),
    defaultOptions: {
      queries: {
        // A refusal stays a refusal; polling takes care of the rest.
        retry: (failures, error) => !(error instanceof RefusedError) && failures < 1,
        retryDelay: 500,
        networkMode: 'always',
        refetchIntervalInBackground: false,
      },
      mutations: { networkMode: 'always' },
    },
  })
  return client
}
