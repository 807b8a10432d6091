/** How many streams are watched, of how many. */
import { queryOptions } from '@tanstack/react-query'
import { api, ask } from './client'
import type { Alert, StreamStats, StreamTier, TierUsage } from './model'

export const streamStatsQuery = queryOptions({
  queryKey: ['stream-stats'],
  queryFn: ({ signal }) => ask(api.GET('/api/v1/stream/stats', { signal })),
  // The hub pushes what changes; this is for what was missed.
  refetchInterval: 15_000,
})

/** Whether there is room again where a limit was reached, as far as this person may see. */
export function hasRoom(stats: StreamStats, agency: string | undefined, tier: StreamTier): boolean {
  const free = ({ full, reduced }: TierUsage) => {
    const { current, limit } = tier === 'FULL' ? full : reduced
    return current < limit
  }
  const own = stats.agencies.find((one) => one.agency === agency)
  return own !== undefined && free(own) && free(stats.total)
}

/** What the coordinator warns of at the moment; only the hub tells. */
export const alertsQuery = queryOptions({
  queryKey: ['alerts'],
  queryFn: (): readonly Alert[] => [],
  initialData: [],
  staleTime: Infinity,
  gcTime: Infinity,
})

/** With one more alert, or one less. */
export function withAlert(alerts: readonly Alert[], news: Alert): readonly Alert[] {
  const others = alerts.filter(
    ({ about, agency, tier }) =>
      about !== news.about || agency !== news.agency || tier !== news.tier,
  )
  return news.raised ? [...others, news] : others
}
