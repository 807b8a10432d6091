/**
 * Live pictures of the mock. WebRTC is refused, as for a codec that it does not carry, so that the
 * pages fall back to fragments, which are cut from the clip. One camera is over its agency's limit,
 * one gives no picture, one stands still after a while.
 */
import { http, HttpResponse, ws, type HttpHandler } from 'msw'
import type { Camera, StreamStats } from '@/api/model'
import { FRAGMENT_MS, loadClip, retimed, type Clip } from './clip'
import type { MockProblem } from './sentences'

type Ways = Readonly<{
  guard: () => Response | undefined
  problem: (code: MockProblem, details?: string) => Response
  visible: () => Camera[]
}>

const MIME = 'video/mp4; codecs="avc1.4d401f"'
/** How many fragments come before the picture stands still. */
const BEFORE_STANDSTILL = 2

export const LIMIT = {
  current: 30,
  limit: 30,
  bound: 'AGENCY',
  agency: 'OTHER',
  offer: null,
} as const

export const streamStats: StreamStats = {
  agencies: [
    { agency: 'BUS', full: { current: 3, limit: 20 }, reduced: { current: 9, limit: 40 } },
    {
      agency: 'DUBAI_POLICE',
      full: { current: 41, limit: 50 },
      reduced: { current: 12, limit: 60 },
    },
    { agency: 'METRO', full: { current: 4, limit: 30 }, reduced: { current: 17, limit: 60 } },
    { agency: 'OTHER', full: { current: 30, limit: 30 }, reduced: { current: 88, limit: 400 } },
  ],
  total: { full: { current: 78, limit: 500 }, reduced: { current: 126, limit: 1_000 } },
}

export function liveHandlers({ guard, problem, visible }: Ways) {
  const rest: HttpHandler[] = [
    http.get('/api/v1/stream/stats', () => guard() ?? HttpResponse.json(streamStats)),
    http.post('/api/v1/cameras/:id/whep', ({ params }) => {
      const camera = visible().find((one) => one.id === params.id)
      const refusal = guard() ?? (camera ? undefined : problem('not_found'))
      if (refusal || !camera) return refusal
      return camera.agency === 'OTHER' ? overLimit() : notCarried()
    }),
  ]
  const fragments = ws
    .link('*/api/v1/cameras/:id/live')
    .addEventListener('connection', ({ client, params }) => {
      const camera = visible().find((one) => one.id === params.id)
      if (!camera) client.close(4404)
      else void play(camera, client)
    })
  return [...rest, fragments]
}

type Client = Readonly<{
  send: (data: string | ArrayBuffer) => void
  addEventListener: (type: 'close', listener: () => void) => void
}>

async function play(camera: Camera, client: Client): Promise<void> {
  const say = (message: object) => client.send(JSON.stringify(message))
  const { state, since, message_en, message_ar } = camera.health
  if (state !== 'live' && state !== 'stale') {
    say({ type: 'DOWN', since, message_en, message_ar })
    return
  }
  const clip = await loadClip()
  say({ type: 'INIT', mime: MIME, timescale: 90_000 })
  client.send(clip.init.slice().buffer)
  const most = state === 'stale' ? BEFORE_STANDSTILL : Infinity
  let count = 0
  const next = () => {
    if (count >= most) return
    sendFragment(clip, count++, client, say)
  }
  next()
  const timer = setInterval(next, FRAGMENT_MS)
  client.addEventListener('close', () => clearInterval(timer))
}

function sendFragment(
  clip: Clip,
  count: number,
  client: Client,
  say: (message: object) => void,
): void {
  const fragment = clip.fragments[count % clip.fragments.length]
  if (!fragment) return
  // The clip ends now, as if its pictures came from a camera.
  say({ type: 'FRAGMENT', wall: new Date(Date.now() - 500).toISOString(), sync: true })
  client.send(retimed(clip, fragment, count * FRAGMENT_MS).buffer as ArrayBuffer)
}

const overLimit = (): Response =>
  refuse(429, {
    code: 'stream_limit_reached',
    message_en: 'All streams of the agency are in use.',
    message_ar: 'جميع بثوث الجهة قيد الاستخدام.',
    ...LIMIT,
  })

const notCarried = (): Response =>
  refuse(409, {
    code: 'codec_not_carried',
    message_en: 'WebRTC does not carry the video of this camera to this browser.',
    message_ar: 'لا ينقل WebRTC فيديو هذه الكاميرا إلى هذا المتصفح.',
  })

const refuse = (status: number, error: object): Response =>
  HttpResponse.json({ error: { ...error, correlation_id: '0'.repeat(32) } }, { status })
