/** What is looked for in the audit, between the address of the page and the API. Pure. */
import type { AuditSearch } from '@/api/queries'
import type { MessageId } from '@/i18n/messages'

export const TOPICS = [
  'sessions',
  'credentials',
  'views',
  'refusals',
  'people',
  'cameras',
  'agents',
  'audit',
] as const

export type Topic = (typeof TOPICS)[number]

/** Kinds of entries that belong together (`coordinator/src/domain/audit.rs`). */
export const KINDS_OF: Readonly<Record<Topic, readonly string[]>> = {
  sessions: [
    'signed_in',
    'signed_out',
    'sign_in_refused',
    'sign_in_unlocked',
    'session_revoked',
    'recovery_code_used',
  ],
  credentials: [
    'password_set',
    'second_factor_added',
    'second_factor_removed',
    'recovery_codes_made',
    'recovery_code_used',
    'api_token_created',
    'api_token_revoked',
    'token_stolen',
    'keys_rotated',
    'token_refused',
  ],
  views: ['live_opened', 'live_closed', 'playback_prepared', 'playback_sought', 'playback_viewed'],
  refusals: [
    'access_refused',
    'sign_in_refused',
    'rate_limited',
    'enrolment_refused',
    'token_stolen',
    'token_refused',
    'iam_event_refused',
    'stream_refused',
    'stream_tampered',
  ],
  people: [
    'user_created',
    'user_changed',
    'user_disabled',
    'user_enabled',
    'password_set',
    'member_added',
    'member_removed',
    'group_created',
    'group_changed',
    'group_deleted',
    'role_created',
    'role_changed',
    'role_deleted',
    'agency_created',
    'agency_changed',
    'stream_limits_changed',
    'identity_linked',
    'identities_unlinked',
    'iam_event_received',
    'iam_event_refused',
  ],
  cameras: ['camera_changed', 'camera_probed', 'camera_restarted', 'configuration_changed'],
  agents: ['agent_enrolled', 'agent_revoked', 'enrolment_refused', 'invite_created', 'object_lost'],
  audit: [
    'audit_searched',
    'audit_exported',
    'audit_chained',
    'audit_disputed',
    'audit_explained',
    'audit_found_broken',
    'entries_lost',
  ],
}

export const TOPIC_LABELS: Record<Topic, MessageId> = {
  sessions: 'audit.topic.sessions',
  credentials: 'audit.topic.credentials',
  views: 'audit.topic.views',
  refusals: 'audit.topic.refusals',
  people: 'audit.topic.people',
  cameras: 'audit.topic.cameras',
  agents: 'audit.topic.agents',
  audit: 'audit.topic.audit',
}

const FIELDS = ['from', 'to', 'what', 'user', 'agency', 'object', 'address', 'text'] as const

const isTopic = (text: string): text is Topic => (TOPICS as readonly string[]).includes(text)

/** `what` in the address is a topic, or a kind of entry as the API calls it. */
export function readSearch(params: URLSearchParams): AuditSearch {
  const search: Record<string, string> = {}
  for (const field of FIELDS) {
    const value = params.get(field)?.trim()
    if (!value) continue
    search[field] = field === 'what' && isTopic(value) ? KINDS_OF[value].join(',') : value
  }
  return search
}

export type ExportFormat = 'csv' | 'jsonl'

/** Where the same search is to be had as a file. */
export function exportAddress(search: AuditSearch, format: ExportFormat): string {
  const query = new URLSearchParams({ ...search, format })
  return `/api/v1/audit/export?${query.toString()}`
}
