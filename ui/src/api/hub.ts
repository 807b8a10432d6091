/**
 * What the coordinator says without being asked (`/ws`). It changes the query cache, nothing else. The
 * connection is kept up as long as somebody is signed in; the pages work without it, only later.
 */
import type { QueryClient } from '@tanstack/react-query'
import type { HubMessage } from './model'
import { camerasQuery, endSession, sessionQuery } from './queries'
import { serverClock } from './server-clock'
import { alertsQuery, streamStatsQuery, withAlert } from './streams'

/** The session has ended (`coordinator/src/http/ws.rs`). */
export const SESSION_ENDED = 4401

/** What comes within this belongs together; in ms. */
const ASK_AFTER = 200
/** A message takes no longer than this to come; in ms. */
const LONGEST_WAY = 500

const FIRST_WAIT = 1_000
const LONGEST_WAIT = 30_000

/** How long to wait before the next try, after so many that failed; apart, so that not all come at once. */
export function waitAfter(failures: number, chance: number): number {
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 10))
  return wait * (0.5 + chance / 2)
}

export const hubAddress = (): string => `${globalThis.location.origin.replace(/^http/, 'ws')}/ws`

/** Listens until the answer is called. */
export function listenToHub(client: QueryClient): () => void {
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let stopped = false
  let asking: ReturnType<typeof setTimeout> | undefined
  /** The last thing that was heard, and from which hub. */
  let last: { hub: string; seq: number } | undefined

  const again = () => {
    timer = setTimeout(open, waitAfter(failures, Math.random()))
    failures++
  }
  const ended = () => {
    stop()
    endSession(client)
  }
  /** Many cameras change at once when a site goes away; they are asked for once. */
  const askSoon = () => {
    asking ??= setTimeout(() => {
      asking = undefined
      void client.invalidateQueries({ queryKey: camerasQuery.queryKey, exact: true })
    }, ASK_AFTER)
  }
  const hear = (message: HubMessage) => {
    if ('seq' in message && last) last = { ...last, seq: message.seq }
    switch (message.type) {
      case 'HELLO':
        // Whatever was said while nobody listened.
        if (failures > 0) void client.invalidateQueries({ queryKey: sessionQuery.queryKey })
        failures = 0
        hearTime(message.server_time)
        if (last?.hub === message.hub) {
          socket?.send(JSON.stringify({ type: 'RESUME', after: last.seq, hub: last.hub }))
        } else {
          // Another hub knows nothing of the old one's numbers, nor of what it warned of.
          last = { hub: message.hub, seq: 0 }
          client.setQueryData(alertsQuery.queryKey, [])
        }
        break
      case 'STREAM_STATS':
        client.setQueryData(streamStatsQuery.queryKey, {
          agencies: message.agencies,
          total: message.total,
        })
        break
      case 'AGENCY_LIMIT_UPDATE':
        void client.invalidateQueries({ queryKey: streamStatsQuery.queryKey })
        break
      case 'CAMERA_STATUS':
        askSoon()
        break
      case 'ALERT':
        client.setQueryData(alertsQuery.queryKey, (alerts) => withAlert(alerts ?? [], message))
        break
      case 'ACCESS_CHANGED':
        client.setQueryData(sessionQuery.queryKey, message.me)
        void client.invalidateQueries({
          predicate: ({ queryKey }) => !KEPT.has(String(queryKey[0])),
        })
        break
      case 'SESSION_ENDED':
        ended()
        break
      default:
        // A newer coordinator says more than these pages know.
        break
    }
  }
  function open() {
    let greeted = false
    socket = new WebSocket(hubAddress())
    socket.addEventListener('message', (event: MessageEvent<unknown>) => {
      greeted = true
      const message = readMessage(event.data)
      if (message && !stopped) hear(message)
    })
    socket.addEventListener('close', ({ code }) => {
      if (stopped) return
      if (code === SESSION_ENDED) ended()
      else {
        // A refusal of the connection looks like silence; asking tells the one from the other.
        if (!greeted) void client.invalidateQueries({ queryKey: sessionQuery.queryKey })
        again()
      }
    })
  }
  function stop() {
    stopped = true
    clearTimeout(timer)
    clearTimeout(asking)
    socket?.close()
  }
  open()
  return stop
}

function hearTime(time: string): void {
  const now = performance.now()
  serverClock.heard(Date.parse(time), now, now, LONGEST_WAY)
}

/** What does not follow from what somebody may do, or would be an entry of the audit each time. */
const KEPT: ReadonlySet<string> = new Set(['session', 'farewell', 'audit', 'alerts'])

function readMessage(data: unknown): HubMessage | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const message: unknown = JSON.parse(data)
    const named = typeof message === 'object' && message !== null && 'type' in message
    return named ? (message as HubMessage) : undefined
  } catch {
    return undefined
  }
}
