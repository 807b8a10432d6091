import { act, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { uuid } from '@mock/builders'
import { useWallStore } from '@/stores/wall'
import { visit } from '../../testing/page'
import { server } from '../../testing/server'

/** A peer that offers and never connects: jsdom has none. */
class SilentPeer extends EventTarget {
  connectionState = 'new'

  addTransceiver() {
    return { receiver: { getSynchronizationSources: () => [], getStats: () => new Map() } }
  }

  createOffer() {
    return Promise.resolve({ type: 'offer', sdp: 'v=0' })
  }

  setLocalDescription() {
    return Promise.resolve()
  }

  setRemoteDescription() {
    return Promise.resolve()
  }

  close() {
    this.connectionState = 'closed'
  }
}

vi.stubGlobal('RTCPeerConnection', SilentPeer)
beforeEach(() => {
  useWallStore.setState({ last: '', panel: false })
})

const LIMIT = {
  code: 'stream_limit_reached',
  message_en: 'All streams there may be are in use.',
  message_ar: 'جميع البثوث المتاحة قيد الاستخدام.',
  correlation_id: '1',
  current: 30,
  limit: 30,
  bound: 'AGENCY',
  agency: 'OTHER',
}

/** Answers offers as `refuse` says by rendition; what was asked for is kept. */
function offers(refuse: (rendition: string) => object | undefined): string[] {
  const asked: string[] = []
  server.use(
    http.post('/api/v1/cameras/:id/whep', ({ request }) => {
      const rendition = new URL(request.url).searchParams.get('rendition') ?? ''
      asked.push(rendition)
      const error = refuse(rendition)
      if (error) return HttpResponse.json({ error }, { status: 429 })
      const headers = { location: '/api/v1/live/1' }
      return new HttpResponse('v=0', { status: 201, headers })
    }),
    http.delete('/api/v1/live/:id', () => new HttpResponse(null)),
  )
  return asked
}

const one = `/wall?layout=1x1&tiles=${uuid(1)}`

describe('a tile whose stream was refused', () => {
  it('says how many there are of how many, and asks again when told to', async () => {
    const asked = offers(() => LIMIT)
    visit(one)
    expect(await screen.findByText('30 of 30 streams of OTHER are in use.')).toBeVisible()
    expect(screen.getByText('Gate 1, entry lane: Refused')).toBeInTheDocument()
    expect(asked).toEqual(['MAIN'])
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await waitFor(() => expect(asked).toEqual(['MAIN', 'MAIN']))
  })

  it('is asked for again when there is room', async () => {
    // As the statistics of the mock say, there is room for this agency.
    let refused = 0
    const asked = offers(() => (refused++ === 0 ? { ...LIMIT, agency: 'METRO' } : undefined))
    visit(one)
    await waitFor(() => expect(asked).toEqual(['MAIN', 'MAIN']))
    expect(await screen.findByText('Connecting…')).toBeVisible()
  })

  it('says it in Arabic', async () => {
    offers(() => ({ ...LIMIT, bound: 'TOTAL' }))
    visit(one, { language: 'ar' })
    expect(await screen.findByText(/^30 من 30 من بثوث النظام كله/)).toBeVisible()
  })

  it('takes the reduced picture where that is offered', async () => {
    const asked = offers((rendition) =>
      rendition === 'MAIN' ? { ...LIMIT, offer: 'REDUCED' } : undefined,
    )
    visit(one)
    await waitFor(() => expect(asked).toEqual(['MAIN', 'SUB']))
    expect(await screen.findByText('Connecting…')).toBeVisible()
  })

  it('says what the coordinator says where it is another reason', async () => {
    server.use(
      http.post('/api/v1/cameras/:id/whep', () => {
        const error = { ...LIMIT, code: 'forbidden', current: null, limit: null }
        return HttpResponse.json({ error }, { status: 403 })
      }),
    )
    visit(one)
    expect(await screen.findByText(LIMIT.message_en)).toBeVisible()
  })
})

describe('what nobody sees', () => {
  it('is not asked for, and ends when the page is hidden for a while', async () => {
    const asked = offers(() => undefined)
    const ended: string[] = []
    server.use(
      http.delete('/api/v1/live/:id', ({ params }) => {
        ended.push(String(params.id))
        return new HttpResponse(null)
      }),
    )
    visit(`/wall?layout=1x1&tiles=${uuid(1)}.${uuid(2)}.${uuid(5)}`)
    await waitFor(() => expect(asked).toHaveLength(1))
    const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    act(() => void document.dispatchEvent(new Event('visibilitychange')))
    await waitFor(() => expect(ended).toEqual(['1']))
    visibility.mockReturnValue('visible')
    act(() => void document.dispatchEvent(new Event('visibilitychange')))
    await waitFor(() => expect(asked).toHaveLength(2))
  })
})
