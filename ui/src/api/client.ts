/** The one place that talks to the coordinator. */
import createClient from 'openapi-fetch'
import { errorFrom, UnreachableError } from './errors'
import type { paths } from './generated/schema'
import { serverClock } from './server-clock'

export const api = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: 'same-origin',
  // Looked up at each call, so that tests can put their own in place.
  fetch: async (request) => {
    const askedAt = performance.now()
    const response = await globalThis.fetch(request)
    serverClock.heard(Date.parse(response.headers.get('date') ?? ''), askedAt, performance.now())
    return response
  },
})

type Answer<T> = { data?: T; error?: unknown; response: Response }

/**
 * The body of a successful answer.
 *
 * Throws `RefusedError` when the coordinator says no and `UnreachableError` when nobody answers;
 * an aborted request stays an `AbortError`.
 */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  const answer = await request.catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new UnreachableError('no answer', { cause })
  })
  if (!answer.response.ok) throw errorFrom(answer.response.status, answer.error)
  return answer.data as T
}
