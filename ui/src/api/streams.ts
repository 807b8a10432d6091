/** How many streams are watched, of how many. */
import { queryOptions } from '@tanstack/react-query'
import { ask } from './client'

/** Of one kind of stream. */
export type StreamUse = Readonly<{ current: number; limit: number }>
export type StreamUses = Readonly<{ full: StreamUse; reduced: StreamUse }>
export type StreamStats = Readonly<{
  agencies: readonly Readonly<{ agency: string } & StreamUses>[]
  total: StreamUses
}>

export const streamStatsQuery = queryOptions({
  queryKey: ['stream-stats'],
  queryFn: async ({ signal }) => {
    const response = await globalThis.fetch('/api/v1/stream/stats', { signal })
    const body: unknown = await response.json()
    return ask(Promise.resolve({ data: body as StreamStats, error: body, response }))
  },
  // The hub pushes what changes; this is for what was missed.
  refetchInterval: 15_000,
})
