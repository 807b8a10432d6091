/** A small world to look at: two sites, eight cameras, a few days of recordings with their troubles. */
import type { Agent, Camera, Health, Place, Site, Span } from '@/api/model'
import { DAY, HOUR, MINUTE, SECOND, type TimeRange } from '@/time/range'
import { agent, camera, site, uuid } from './builders'
import { REASONS, type MockReason } from './sentences'

const DEPOT = { id: uuid(0x51), name: 'Al Rigga depot', agentId: uuid(0xa1), agent: 'depot-nvr-1' }
const CREEK = { id: uuid(0x52), name: 'Creek crossing', agentId: uuid(0xa2), agent: 'creek-nvr-1' }

/** A trouble of every day: when it begins after midnight UTC, and for how long. */
type Trouble = Readonly<{ from: number; for: number; reason: MockReason | 'unexplained' }>

type MockCamera = {
  id: string
  name: string
  place: typeof DEPOT
  agency: string
  kind: 'live' | 'stale' | 'down' | 'offline' | 'off'
  stored: Place
  troubles: readonly Trouble[]
  settings: Camera['settings']
}

const at = (hours: number, minutes = 0, seconds = 0) =>
  hours * HOUR + minutes * MINUTE + seconds * SECOND

const cameras: MockCamera[] = [
  {
    id: uuid(1),
    name: 'Gate 1, entry lane',
    place: DEPOT,
    agency: 'METRO',
    kind: 'live',
    stored: 'both',
    settings: { recording: 'continuous', upload: 'all', retention_hours: 72 },
    troubles: [
      { from: at(2, 10), for: at(0, 24), reason: 'camera_unreachable' },
      { from: at(7, 41, 12), for: at(0, 0, 38), reason: 'packets_lost' },
      { from: at(14, 5), for: at(0, 6, 30), reason: 'host_down' },
    ],
  },
  {
    id: uuid(2),
    name: 'Gate 2, exit lane',
    place: DEPOT,
    agency: 'METRO',
    kind: 'live',
    stored: 'both',
    settings: {},
    troubles: [{ from: at(14, 5), for: at(0, 6, 30), reason: 'host_down' }],
  },
  {
    id: uuid(3),
    name: 'Fuel island',
    place: DEPOT,
    agency: 'BUS',
    kind: 'stale',
    stored: 'both',
    settings: {},
    troubles: [
      { from: at(4), for: at(0, 50), reason: 'disk_full' },
      { from: at(14, 5), for: at(0, 6, 30), reason: 'host_down' },
    ],
  },
  {
    id: uuid(4),
    name: 'Workshop',
    place: DEPOT,
    agency: 'BUS',
    kind: 'off',
    stored: 'both',
    settings: { recording: 'scheduled' },
    troubles: [{ from: at(15), for: at(9), reason: 'outside_schedule' }],
  },
  {
    id: uuid(5),
    name: 'Northbound 1',
    place: CREEK,
    agency: 'DUBAI_POLICE',
    kind: 'live',
    stored: 'edge',
    settings: { upload: 'on-demand', retention_hours: 168 },
    troubles: [{ from: at(1, 30), for: at(0, 12), reason: 'camera_unreachable' }],
  },
  {
    id: uuid(6),
    name: 'Northbound 2',
    place: CREEK,
    agency: 'DUBAI_POLICE',
    kind: 'live',
    stored: 'both',
    settings: {},
    troubles: [{ from: at(6, 2), for: at(0, 2, 10), reason: 'operator_restart' }],
  },
  {
    id: uuid(7),
    name: 'Southbound 1',
    place: CREEK,
    agency: 'DUBAI_POLICE',
    kind: 'down',
    stored: 'both',
    settings: {},
    troubles: [
      { from: at(0, 40), for: at(1, 20), reason: 'camera_unreachable' },
      { from: at(5, 12, 4), for: at(0, 0, 3), reason: 'unexplained' },
    ],
  },
  {
    id: uuid(8),
    name: 'Southbound 2',
    place: CREEK,
    agency: 'OTHER',
    kind: 'live',
    stored: 'centre',
    settings: {},
    troubles: [],
  },
]

const KEPT_FOR = 3 * DAY
/** How far behind the present the site's reports are. */
const REPORT_LAG = 1_500
/** The camera of kind `down` has been so for this long. */
const DOWN_FOR = 23 * MINUTE

const find = (id: string) => cameras.find((one) => one.id === id)
const iso = (time: number) => new Date(time).toISOString()

export function listCameras(now: number): Camera[] {
  return cameras.map((one) =>
    camera({
      id: one.id,
      name: one.name,
      agency: one.agency,
      site_id: one.place.id,
      site_name: one.place.name,
      agent_id: one.place.agentId,
      agent_name: one.place.agent,
      since: iso(now - KEPT_FOR),
      settings: one.settings,
      health: healthOf(one, now),
    }),
  )
}

function healthOf(one: MockCamera, now: number): Health {
  const wobble = Math.sin(now / 7_000 + Number.parseInt(one.id.slice(-2), 16))
  const running = {
    last_picture: iso(now - 300 - (now % 700)),
    age_ms: 300 + (now % 700),
    recorded_until: iso(now - 900),
    durable_until: iso(now - 2_100),
    bits_per_second: Math.round(4_050_000 + 180_000 * wobble),
    fps: 25,
    clock_uncertainty_us: 14_000,
    clock_offset_us: 4_000 + Math.round(400 * wobble),
  }
  const silent = (age: number) => ({
    last_picture: iso(now - age),
    age_ms: age,
    recorded_until: iso(now - 900),
    durable_until: iso(now - 2_100),
    bits_per_second: 0,
    fps: 0,
  })
  switch (one.kind) {
    case 'live':
      return { state: 'live', ...running }
    case 'stale':
      return { state: 'stale', ...silent(41_000) }
    case 'off':
      return { state: 'off', last_picture: null, age_ms: null, bits_per_second: 0, fps: 0 }
    case 'offline':
      return { state: 'offline', ...silent(2 * HOUR) }
    case 'down': {
      const { cause, en, ar } = REASONS.camera_refused_credentials
      return {
        state: 'down',
        reason: 'camera_refused_credentials',
        cause,
        message_en: en,
        message_ar: ar,
        since: iso(now - DOWN_FOR),
        ...silent(DOWN_FOR),
      }
    }
  }
}

export function changeCamera(
  id: string,
  change: { display_name?: string | null; agency?: string | null } & Camera['settings'],
): boolean {
  const found = find(id)
  if (!found) return false
  const { display_name, agency, ...settings } = change
  found.name = display_name ?? found.name
  found.agency = agency ?? found.agency
  found.settings = { ...found.settings, ...settings }
  return true
}

let revoked = false

export function revokeAgent(id: string): boolean {
  if (id !== CREEK.agentId) return false
  revoked = true
  return true
}

export function listAgents(now: number): Agent[] {
  return [
    agent({
      id: DEPOT.agentId,
      name: DEPOT.agent,
      site_id: DEPOT.id,
      site_name: DEPOT.name,
      last_seen: iso(now - 700),
      connected_since: iso(now - 6.2 * HOUR),
      buffer: {
        total_bytes: 1_920e9,
        free_bytes: 702e9,
        used_bytes: 1_130e9,
        unsent_bytes: 3.4e9,
        oldest: iso(now - KEPT_FOR),
      },
    }),
    agent({
      id: CREEK.agentId,
      name: CREEK.agent,
      site_id: CREEK.id,
      site_name: CREEK.name,
      state: revoked ? 'revoked' : 'connected',
      last_seen: iso(now - 900),
      connected_since: iso(now - 51 * MINUTE),
      clock_offset_us: 18_000,
      round_trip_us: 84_000,
      metadata_backlog: 112,
      upload_backlog: 431,
      buffer: {
        total_bytes: 480e9,
        free_bytes: 61e9,
        used_bytes: 386e9,
        unsent_bytes: 219e9,
        oldest: iso(now - KEPT_FOR),
        deletes_unsent_at: iso(now + 2.4 * DAY),
      },
    }),
  ]
}

export const listSites = (): Site[] =>
  [DEPOT, CREEK].map((place) => site({ id: place.id, name: place.name, agents: 1, cameras: 4 }))

/** What is known of a camera's time, in order, without holes; `undefined` for a foreign camera. */
export function spansOf(id: string, range: TimeRange, now: number): Span[] | undefined {
  const found = find(id)
  if (!found) return undefined
  const since = now - KEPT_FOR
  const reported = now - REPORT_LAG
  const spans: Span[] = []
  let cursor = Math.max(range.from, since)
  const add = (to: number, span: Omit<Span, 'from' | 'to'>) => {
    const end = Math.min(to, range.to)
    if (end > cursor) spans.push({ ...span, from: iso(cursor), to: iso(end) })
    cursor = Math.max(cursor, end)
  }
  for (const trouble of troublesOf(
    found,
    { from: cursor, to: Math.min(range.to, reported) },
    now,
  )) {
    add(trouble.from, { state: 'recorded', place: found.stored })
    add(trouble.to, trouble.span)
  }
  // The newest minutes are not uploaded yet.
  if (found.stored !== 'edge')
    add(reported - 4 * MINUTE, { state: 'recorded', place: found.stored })
  add(reported, { state: 'recorded', place: 'edge' })
  add(range.to, { state: 'not_yet_reported' })
  return spans
}

function troublesOf(one: MockCamera, range: TimeRange, now: number) {
  const firstDay = Math.floor(range.from / DAY) * DAY
  const list = []
  for (let day = firstDay; day < range.to; day += DAY) {
    for (const trouble of one.troubles) list.push(troubleOn(day, trouble))
  }
  const since = one.kind === 'down' ? DOWN_FOR : one.kind === 'stale' ? 41_000 : 0
  if (since)
    list.push({
      from: now - since,
      to: now,
      span: missing(one.kind === 'down' ? 'camera_refused_credentials' : 'packets_lost'),
    })
  return list
    .filter((trouble) => trouble.from < range.to && trouble.to > range.from)
    .map((trouble) => ({ ...trouble, to: Math.min(trouble.to, range.to) }))
    .sort((a, b) => a.from - b.from)
}

function troubleOn(day: number, trouble: Trouble) {
  const from = day + trouble.from
  const span: Omit<Span, 'from' | 'to'> =
    trouble.reason === 'unexplained' ? { state: 'unexplained' } : missing(trouble.reason)
  return { from, to: from + trouble.for, span }
}

function missing(reason: MockReason): Omit<Span, 'from' | 'to'> {
  const { cause, en, ar } = REASONS[reason]
  return { state: 'missing', reason, cause, message_en: en, message_ar: ar }
}
