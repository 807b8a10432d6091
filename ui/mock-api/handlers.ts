/**
 * The API without a coordinator: sign-in, roles, refusals and footage. Errors are reached by what one
 * types, not by changing code:
 * - sign in as `operator` for a role that may only watch, as `locked` for too many attempts;
 * - sign in as `factor` to be asked for a code; `000000` is wrong, `expired` is too late;
 * - any password but `wrong` will do;
 * - invite an agent to the site `nowhere` for a refusal.
 *
 * `localStorage.mockSilent = '1'` makes the coordinator fall silent.
 */
import { delay, http, HttpResponse, type HttpHandler, type WebSocketHandler } from 'msw'
import type {
  GivenCode,
  Me,
  NewInvite,
  OwnSettings,
  PlaybackOrder,
  SignIn,
  CameraChange,
  Timeline,
} from '@/api/model'
import { DAY, type TimeRange } from '@/time/range'
import { accountHandlers } from './account'
import { auditHandlers } from './audit'
import { me, playback, user, uuid } from './builders'
import { loadClip } from './clip'
import { directoryHandlers } from './directory'
import { hubHandlers } from './hub'
import { liveHandlers } from './live'
import { liveRange, playlistOf, segmentOf } from './playlist'
import { PROBLEMS, type MockProblem } from './sentences'
import { changeCamera, listAgents, listCameras, listSites, revokeAgent, spansOf } from './world'

const SIGNED_IN = 'mockSignedIn'
const EDGE_DELAY = 900

type Prepared = Readonly<{ camera: string; range: TimeRange | 'live' }>
const prepared = new Map<string, Prepared>()
let count = 0x1000

function problem(code: MockProblem, details?: string) {
  const { status, en, ar } = PROBLEMS[code]
  const error = {
    code,
    message_en: en,
    message_ar: ar,
    correlation_id: uuid(++count).replaceAll('-', ''),
  }
  return HttpResponse.json({ error: details ? { ...error, details } : error }, { status })
}

/** As the account has it; nothing until it was chosen. */
function languageOf(login: string): Pick<Me, 'language'> {
  const language = localStorage.getItem(`mockLanguage:${login}`)
  return language === 'en' || language === 'ar' ? { language } : {}
}

function actor(): Me | undefined {
  const login = localStorage.getItem(SIGNED_IN)
  if (!login) return undefined
  const chosen = languageOf(login)
  if (login !== 'operator') return me({ login, ...chosen })
  return me({
    login,
    ...chosen,
    display_name: 'Operator',
    permissions: ['camera:METRO:view', 'camera:METRO:playback'],
  })
}

const isSilent = () => localStorage.getItem('mockSilent') === '1'

/** Everything but signing in wants somebody signed in, and an answer at all. */
function guard(): Response | undefined {
  if (isSilent()) return HttpResponse.error()
  return actor() ? undefined : problem('unauthenticated')
}

const isAdministrator = () => actor()?.permissions.includes('*') ?? false

const visible = () => {
  const all = listCameras(Date.now())
  return isAdministrator() ? all : all.filter((one) => one.agency === 'METRO')
}

const session: HttpHandler[] = [
  http.get('/api/v1/session/methods', () =>
    HttpResponse.json({ password: { for_everybody: true } }),
  ),
  http.get('/api/v1/errors', () => {
    const items = Object.entries(PROBLEMS).map(([code, { status, en, ar }]) => {
      return { code, status, message_en: en, message_ar: ar }
    })
    return HttpResponse.json({ items })
  }),
  http.get('/api/v1/session', () => guard() ?? HttpResponse.json(actor())),
  http.post('/api/v1/session', async ({ request }) => {
    const { login, password } = (await request.json()) as SignIn
    await delay(250)
    if (login === 'locked') return problem('too_many_attempts')
    if (password === 'wrong' || login === '') return problem('wrong_credentials')
    if (login === 'factor') return HttpResponse.json({ second_factor: 'totp' })
    localStorage.setItem(SIGNED_IN, login)
    return HttpResponse.json(actor())
  }),
  http.post('/api/v1/session/second-factor', async ({ request }) => {
    const { code } = (await request.json()) as GivenCode
    if (code === 'expired') return problem('sign_in_expired')
    if (code === '000000') return problem('wrong_code')
    localStorage.setItem(SIGNED_IN, 'factor')
    return HttpResponse.json(actor())
  }),
  http.put('/api/v1/iam/me', async ({ request }) => {
    const { language } = (await request.json()) as OwnSettings
    const own = actor()
    if (own) localStorage.setItem(`mockLanguage:${own.login}`, language)
    return guard() ?? HttpResponse.json(user({ id: me().user_id }))
  }),
  http.delete('/api/v1/session', () => {
    localStorage.removeItem(SIGNED_IN)
    return new HttpResponse(null, { status: 204 })
  }),
]

const things: HttpHandler[] = [
  http.get('/api/v1/sites', () => guard() ?? HttpResponse.json({ items: listSites() })),
  http.get('/api/v1/agents', () => {
    const refusal = guard() ?? (isAdministrator() ? undefined : problem('forbidden'))
    return refusal ?? HttpResponse.json({ items: listAgents(Date.now()) })
  }),
  http.post('/api/v1/agents/invites', async ({ request }) => {
    const invite = (await request.json()) as NewInvite
    await delay(400)
    if (invite.site_name === 'nowhere') return problem('invalid_value', '`site_name`')
    return HttpResponse.json(
      {
        code: 'cctv1:centre.example:7443:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU:hTq3c9rJ3m0',
        qr_svg: qrLikeSvg(),
        expires_at: new Date(
          Date.now() + (invite.valid_for_minutes ?? 1440) * 60_000,
        ).toISOString(),
      },
      { status: 201 },
    )
  }),
  http.post('/api/v1/agents/:id/revoke', ({ params }) =>
    revokeAgent(String(params.id)) ? new HttpResponse(null, { status: 204 }) : problem('forbidden'),
  ),
  http.get('/api/v1/cameras', () => guard() ?? HttpResponse.json({ items: visible() })),
  http.get('/api/v1/cameras/:id', ({ params }) => {
    const found = visible().find((one) => one.id === params.id)
    return guard() ?? (found ? HttpResponse.json(found) : problem('not_found'))
  }),
  http.patch('/api/v1/cameras/:id', async ({ params, request }) => {
    await delay(300)
    if (!isAdministrator()) return problem('forbidden')
    const id = String(params.id)
    const change = (await request.json()) as CameraChange
    if (!changeCamera(id, change)) return problem('not_found')
    return HttpResponse.json(visible().find((one) => one.id === id))
  }),
  http.post('/api/v1/cameras/:id/restart', async ({ params }) => {
    await delay(500)
    const found = visible().find((one) => one.id === params.id)
    if (found?.health.state === 'down') return problem('agent_offline')
    return new HttpResponse(null, { status: 202 })
  }),
  http.get('/api/v1/cameras/:id/timeline', ({ params, request }) => {
    const refusal = guard()
    if (refusal) return refusal
    const query = new URL(request.url).searchParams
    const from = query.get('from') ?? ''
    const to = query.get('to') ?? ''
    const range = { from: Date.parse(from), to: Date.parse(to) }
    const id = String(params.id)
    const spans = spansOf(id, range, Date.now())
    if (!spans) return problem('not_found')
    const timeline: Timeline = {
      camera_id: id,
      stream: 'main',
      from,
      to,
      spans,
      seconds: {
        recorded: 0,
        edge_only: 0,
        missing: 0,
        policy: 0,
        not_yet_reported: 0,
        unexplained: 0,
      },
      complete: false,
      reported_until: new Date().toISOString(),
    }
    return HttpResponse.json(timeline)
  }),
]

const footage: HttpHandler[] = [
  http.post('/api/v1/playback/prepare', async ({ request }) => {
    const refusal = guard()
    if (refusal) return refusal
    const order = (await request.json()) as PlaybackOrder
    const answer = playback({ camera_id: order.camera_id, live: order.live ?? false })
    const range =
      order.from && order.to ? { from: Date.parse(order.from), to: Date.parse(order.to) } : 'live'
    prepared.set(answer.id, { camera: order.camera_id, range })
    return HttpResponse.json(answer, { status: 201 })
  }),
  http.get('/api/v1/playback/:id/playlist.m3u8', async ({ params }) => {
    const found = prepared.get(String(params.id))
    const refusal = guard() ?? (found ? undefined : problem('not_found'))
    if (refusal || !found) return refusal
    const now = Date.now()
    const range = found.range === 'live' ? liveRange(now) : found.range
    // From well before, so that a run begins where it began and not where the window does.
    const spans = spansOf(found.camera, { from: range.from - DAY, to: range.to }, now) ?? []
    const text = playlistOf(await loadClip(), spans, range, found.range === 'live', now)
    return new HttpResponse(text, { headers: { 'content-type': 'application/vnd.apple.mpegurl' } })
  }),
  http.get('/api/v1/playback/:id/segments/:name', async ({ params, request }) => {
    const expires = Number(new URL(request.url).searchParams.get('expires')) * 1000
    if (expires < Date.now()) return problem('link_expired')
    const clip = await loadClip()
    const bytes = segmentOf(clip, String(params.name).replace('.mp4', ''))
    if (!bytes) return problem('not_found')
    const found = prepared.get(String(params.id))
    // Footage of this camera stays at its site, and comes from there.
    if (found?.camera === uuid(5)) await delay(EDGE_DELAY)
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get('range') ?? '')
    const [from, to] = range ? [Number(range[1]), Number(range[2])] : [0, bytes.length - 1]
    return new HttpResponse(bytes.slice(from, to + 1), {
      status: range ? 206 : 200,
      headers: {
        'content-type': 'video/mp4',
        'content-range': `bytes ${from}-${to}/${bytes.length}`,
      },
    })
  }),
]

const directory = directoryHandlers({
  guard,
  isAdministrator,
  problem,
  login: () => localStorage.getItem(SIGNED_IN) ?? undefined,
  signOut: () => localStorage.removeItem(SIGNED_IN),
})

const audit = auditHandlers(() => guard() ?? (isAdministrator() ? undefined : problem('forbidden')))

const live = liveHandlers({ guard, problem, visible })

const account = accountHandlers({ guard, isAdministrator, problem, qrSvg: qrLikeSvg })

export const handlers: (HttpHandler | WebSocketHandler)[] = [
  ...session,
  ...things,
  ...footage,
  ...live,
  ...account,
  ...directory,
  ...audit,
  ...hubHandlers,
]

/** Looks like a QR code and is none: the mock has nothing to enrol. */
function qrLikeSvg(): string {
  const size = 29
  const squares: string[] = []
  const isFinder = (x: number, y: number) => x < 7 && y < 7
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [fx, fy] = [Math.min(x, size - 1 - x), Math.min(y, size - 1 - y)]
      const corner = isFinder(fx, fy) && !(x > 7 && y > 7)
      const ring = corner && (fx === 0 || fy === 0 || fx === 6 || fy === 6)
      const core = corner && fx > 1 && fy > 1 && fx < 5 && fy < 5
      const noise = !corner && ((x * 7 + y * 13 + x * y * 5) % 11) % 2 === 0
      if (ring || core || noise) squares.push(`M${x} ${y}h1v1h-1z`)
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path d="${squares.join('')}"/></svg>`
}
