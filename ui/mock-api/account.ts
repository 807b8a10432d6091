/** Sessions, second factors and API tokens of the mock. One store for everybody: one person at a time. */
import { http, HttpResponse, type HttpHandler } from 'msw'
import type {
  ApiToken,
  ApiTokenRequest,
  LinkedIdentity,
  NewIdentity,
  SignedInAt,
} from '@/api/model'
import { uuid } from './builders'
import type { MockProblem } from './sentences'

type Tools = Readonly<{
  guard: () => Response | undefined
  isAdministrator: () => boolean
  problem: (code: MockProblem, details?: string) => Response
  qrSvg: () => string
}>

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36'
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1'

const begin = (): SignedInAt[] => [
  session(1, { current: true, user_agent: CHROME, address: '192.0.2.7' }),
  session(2, { user_agent: IPHONE, address: '2001:db8::17' }),
  session(3, { kind: 'program', user_agent: 'report-maker/2.1', address: '192.0.2.80' }),
]

function session(number: number, parts: Partial<SignedInAt>): SignedInAt {
  return {
    id: uuid(0x900 + number),
    kind: 'browser',
    created_at: '2026-11-23T05:00:00.000Z',
    last_seen: '2026-11-23T08:58:00.000Z',
    expires_at: '2026-11-23T20:00:00.000Z',
    current: false,
    ...parts,
  }
}

const firstToken = (): ApiToken => ({
  id: uuid(0xb01),
  user_id: uuid(0xff),
  name: 'video wall',
  scopes: ['camera:METRO:view'],
  created_at: '2026-11-01T06:00:00.000Z',
  expires_at: '2027-01-30T06:00:00.000Z',
  last_used: '2026-11-23T08:59:00.000Z',
})

/** Of Layla; nobody else has any. */
const firstIdentity = (): LinkedIdentity => ({
  issuer: 'https://sso.example/realms/rta',
  subject: '248289761001',
  linked_at: '2026-11-02T06:00:00.000Z',
})

let sessions = begin()
let identities = new Map([[uuid(0x71), [firstIdentity()]]])
let tokens = [firstToken()]
let factor = { enabled: false, recovery_codes_left: 0 }
let made = 0

/** As it was in the beginning; tests share the module. */
export function resetAccount(): void {
  sessions = begin()
  identities = new Map([[uuid(0x71), [firstIdentity()]]])
  tokens = [firstToken()]
  factor = { enabled: false, recovery_codes_left: 0 }
}

const newCodes = () => {
  const round = ++made
  return Array.from({ length: 10 }, (_, index) => `${round}bcd-efgh-ijkl-mno${index}`)
}

export function accountHandlers({ guard, isAdministrator, problem, qrSvg }: Tools): HttpHandler[] {
  const refuse = () => guard() ?? (isAdministrator() ? undefined : problem('forbidden'))
  const gone = () => new HttpResponse(null, { status: 204 })
  const end = (id: unknown) => {
    if (!sessions.some((one) => one.id === id)) return problem('not_found')
    sessions = sessions.filter((one) => one.id !== id)
    return gone()
  }
  const remove = () => {
    factor = { enabled: false, recovery_codes_left: 0 }
    return gone()
  }
  return [
    http.get('/api/v1/iam/me/sessions', () => guard() ?? HttpResponse.json({ items: sessions })),
    http.delete('/api/v1/iam/me/sessions/:id', ({ params }) => guard() ?? end(params.id)),
    http.get('/api/v1/iam/users/:id/sessions', () => {
      const items = sessions.map((one) => ({ ...one, current: false }))
      return refuse() ?? HttpResponse.json({ items })
    }),
    http.delete('/api/v1/iam/users/:id/sessions', () => {
      sessions = []
      return refuse() ?? gone()
    }),
    http.delete('/api/v1/iam/users/:id/sessions/:session', ({ params }) => {
      return refuse() ?? end(params.session)
    }),
    http.get('/api/v1/iam/users/:id/identities', ({ params }) => {
      return refuse() ?? HttpResponse.json({ items: identities.get(String(params.id)) ?? [] })
    }),
    http.post('/api/v1/iam/users/:id/identities', async ({ params, request }) => {
      const { issuer, subject } = (await request.json()) as NewIdentity
      const known = [...identities.values()].flat()
      if (known.some((one) => one.issuer === issuer && one.subject === subject)) {
        return problem('taken', 'this identity')
      }
      const id = String(params.id)
      const linked = { issuer, subject, linked_at: new Date().toISOString() }
      identities.set(id, [...(identities.get(id) ?? []), linked])
      return refuse() ?? gone()
    }),
    http.delete('/api/v1/iam/users/:id/identities', ({ params }) => {
      return refuse() ?? (identities.delete(String(params.id)) ? gone() : problem('not_found'))
    }),
    http.delete('/api/v1/iam/users/:id/second-factor', () => refuse() ?? remove()),
    http.get('/api/v1/iam/me/second-factor', () => guard() ?? HttpResponse.json(factor)),
    http.post('/api/v1/iam/me/second-factor', () => {
      const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
      const otpauth_uri = `otpauth://totp/RTA%20CCTV:admin?secret=${secret}&issuer=RTA%20CCTV`
      return guard() ?? HttpResponse.json({ secret, otpauth_uri, qr_svg: qrSvg() })
    }),
    http.post('/api/v1/iam/me/second-factor/confirm', async ({ request }) => {
      const { code } = (await request.json()) as { code: string }
      if (code === '000000') return problem('wrong_code')
      factor = { enabled: true, recovery_codes_left: 10 }
      return guard() ?? HttpResponse.json({ codes: newCodes() })
    }),
    http.delete('/api/v1/iam/me/second-factor', async ({ request }) => {
      const { password } = (await request.json()) as { password: string }
      return password === 'wrong' ? problem('wrong_credentials') : remove()
    }),
    http.post('/api/v1/iam/me/recovery-codes', () => {
      factor = { enabled: true, recovery_codes_left: 10 }
      return guard() ?? HttpResponse.json({ codes: newCodes() })
    }),
    http.get('/api/v1/iam/api-tokens', ({ request }) => {
      const user = new URL(request.url).searchParams.get('user') ?? uuid(0xff)
      const items = tokens.filter((one) => one.user_id === user)
      return guard() ?? HttpResponse.json({ items })
    }),
    http.post('/api/v1/iam/api-tokens', async ({ request }) => {
      const body = (await request.json()) as ApiTokenRequest
      const token: ApiToken = {
        ...firstToken(),
        id: uuid(0xb10 + ++made),
        name: body.name,
        scopes: body.scopes ?? [],
        expires_at: new Date(Date.now() + body.valid_for_days * 86_400_000).toISOString(),
      }
      tokens = [token, ...tokens]
      const text = 'cctv_AZVP8-0tfyGjsNak8cLjtGq0kXlmMZ3uXo0f9nC2vU8wq7h3'
      return guard() ?? HttpResponse.json({ ...token, text }, { status: 201 })
    }),
    http.delete('/api/v1/iam/api-tokens/:id', ({ params }) => {
      tokens = tokens.filter((one) => one.id !== params.id)
      return guard() ?? gone()
    }),
  ]
}
