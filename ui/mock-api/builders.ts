/** Things as the API would send them, with a default for everything that a test does not care about. */
import type { Agent, Camera, Group, Health, Me, Playback, Role, Site, User } from '@/api/model'

let count = 0

/** A UUID that says which one it is. */
export const uuid = (number: number): string =>
  `01954f3e-8d2f-7c51-a3b0-${number.toString(16).padStart(12, '0')}`

type CameraParts = Partial<Omit<Camera, 'health'>> & { health?: Partial<Health> }

export function camera({ health, ...parts }: CameraParts = {}): Camera {
  return {
    id: uuid(++count),
    name: 'Gate 3',
    agent_id: uuid(0xa1),
    agent_name: 'depot-nvr-1',
    site_id: uuid(0x51),
    site_name: 'Al Rigga depot',
    time_zone: 'Asia/Dubai',
    agency: 'METRO',
    streams: ['main', 'sub'],
    since: '2026-11-20T06:00:00.000Z',
    listed: true,
    settings: {},
    ...parts,
    health: {
      state: 'live',
      last_picture: '2026-11-23T10:00:00.000Z',
      age_ms: 200,
      bits_per_second: 4_100_000,
      fps: 25,
      ...health,
    },
  }
}

export function agent(parts: Partial<Agent> = {}): Agent {
  return {
    id: uuid(++count),
    name: 'depot-nvr-1',
    site_id: uuid(0x51),
    site_name: 'Al Rigga depot',
    version: '0.1.0',
    host: 'Debian 13, x86_64',
    time_zone: 'Asia/Dubai',
    state: 'connected',
    last_seen: '2026-11-23T10:00:00.000Z',
    connected_since: '2026-11-23T04:12:09.000Z',
    clock_offset_us: -3_400,
    round_trip_us: 12_300,
    metadata_backlog: 0,
    upload_backlog: 2,
    cameras: 4,
    ...parts,
  }
}

export const site = (parts: Partial<Site> = {}): Site => ({
  id: uuid(0x51),
  name: 'Al Rigga depot',
  agents: 1,
  cameras: 4,
  ...parts,
})

export const me = (parts: Partial<Me> = {}): Me => ({
  user_id: uuid(0xff),
  login: 'admin',
  display_name: 'Administrator',
  permissions: ['*'],
  ...parts,
})

export const user = (parts: Partial<User> = {}): User => ({
  id: uuid(++count),
  login: 'layla.hassan',
  display_name: 'Layla Hassan',
  arabic_name: 'ليلى حسن',
  status: 'ACTIVE',
  roles: [],
  groups: [],
  permissions: [],
  effective_permissions: [],
  created_at: '2026-10-02T05:30:00.000Z',
  revision: 1,
  ...parts,
})

export const role = (parts: Partial<Role> = {}): Role => ({
  code: 'operator',
  name: { en: 'Operator', ar: 'مشغّل' },
  permissions: ['camera:own:view', 'camera:own:playback'],
  built_in: false,
  revision: 1,
  ...parts,
})

export const group = (parts: Partial<Group> = {}): Group => ({
  id: uuid(++count),
  name: { en: 'Night shift', ar: 'وردية الليل' },
  roles: [],
  permissions: [],
  members: 0,
  revision: 1,
  ...parts,
})

export function playback(parts: Partial<Playback> = {}): Playback {
  const id = parts.id ?? uuid(++count)
  return {
    id,
    camera_id: uuid(1),
    stream: 'main',
    live: false,
    playlist_url: `/api/v1/playback/${id}/playlist.m3u8`,
    status_url: `/api/v1/playback/${id}`,
    expires_at: '2026-11-23T12:00:00.000Z',
    ...parts,
  }
}
