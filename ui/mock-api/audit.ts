/** The audit of the mock: a few days of entries, newest first. */
import { http, HttpResponse, type HttpHandler } from 'msw'
import type { AuditChain, AuditEntry } from '@/api/model'
import { MINUTE } from '@/time/range'
import { uuid } from './builders'

const KINDS = [
  ['signed_in', 'Somebody signed in.', 'سجّل شخص الدخول.'],
  ['playback_viewed', 'A recording was watched.', 'تمت مشاهدة تسجيل.'],
  ['user_changed', 'A person was changed.', 'تم تعديل بيانات شخص.'],
  ['sign_in_refused', 'A sign-in was refused.', 'رُفض تسجيل دخول.'],
  ['camera_changed', 'The settings of a camera were changed.', 'تم تغيير إعدادات كاميرا.'],
] as const

const TOTAL = 130
const NEWEST = Date.parse('2026-11-23T09:00:00.000Z')

const hash = (number: number) => number.toString(16).padStart(64, '9f86d081884c7d65')

const entries: AuditEntry[] = Array.from({ length: TOTAL }, (_, index) => {
  const number = TOTAL - index
  const [what, message_en, message_ar] = KINDS[number % KINDS.length]!
  return {
    number,
    at: new Date(NEWEST - index * 7 * MINUTE).toISOString(),
    who:
      number % 7 === 0
        ? { kind: 'console' }
        : { kind: 'user', id: uuid(0x71), name: 'Layla Hassan' },
    what,
    message_en,
    message_ar,
    agency: number % 3 === 0 ? 'METRO' : null,
    object: uuid(number % 8),
    // The document says only that it is an object.
    details: { display_name: `Gate ${number}` } as unknown as Record<string, never>,
    address: `192.0.2.${number % 9}`,
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64)',
    correlation_id: uuid(0x4000 + number).replaceAll('-', ''),
    hash: hash(number),
  }
})

const chain: AuditChain = {
  state: 'whole',
  head: { number: TOTAL, hash: hash(TOTAL) },
  verified_at: '2026-11-23T08:55:00.000Z',
  witnesses: [
    {
      agent_id: uuid(0xa1),
      agent_name: 'depot-nvr-1',
      head: { number: TOTAL, hash: hash(TOTAL) },
      told_at: '2026-11-23T09:00:00.000Z',
    },
  ],
  disputes: [],
}

function matches(entry: AuditEntry, query: URLSearchParams): boolean {
  const is = (name: string, value: string | null | undefined) =>
    !query.has(name) || query.get(name) === value
  const what = query.get('what')?.split(',')
  return (
    (!what || what.includes(entry.what)) &&
    is('user', entry.who.id) &&
    is('agency', entry.agency) &&
    is('object', entry.object) &&
    is('address', entry.address) &&
    Date.parse(entry.at) >= Date.parse(query.get('from') ?? '2000-01-01') &&
    Date.parse(entry.at) < Date.parse(query.get('to') ?? '2100-01-01') &&
    JSON.stringify(entry.details).includes(query.get('text') ?? '')
  )
}

export const auditHandlers = (refuse: () => Response | undefined): HttpHandler[] => [
  http.get('/api/v1/audit', ({ request }) => {
    const query = new URL(request.url).searchParams
    const found = entries.filter((entry) => matches(entry, query))
    const after = Number(query.get('after') ?? Infinity)
    const rest = found.filter((entry) => entry.number < after)
    const items = rest.slice(0, Number(query.get('limit')))
    const next = rest.length > items.length ? String(items.at(-1)?.number) : null
    return refuse() ?? HttpResponse.json({ items, next })
  }),
  http.get('/api/v1/audit/chain', () => refuse() ?? HttpResponse.json(chain)),
  http.get('/api/v1/audit/export', () => refuse() ?? new HttpResponse('number,at\n')),
]
