import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import { me } from '@mock/builders'
import { hangUp, HUB, listeners, said, say } from '@mock/hub'
import { PROBLEMS } from '@mock/sentences'
import { visit } from '../../testing/page'
import { server } from '../../testing/server'
import { SESSION_ENDED, waitAfter } from './hub'

const SIGNED_OUT = 'You were signed out: the session ended, or somebody ended it.'

const listening = () => waitFor(() => expect(listeners()).toBe(1))

describe('what the coordinator says without being asked', () => {
  it('that the session ended leads to signing in, and says why one is there', async () => {
    const { router, client } = visit('/agents')
    await screen.findByRole('heading', { name: 'Agents' })
    await listening()
    localStorage.removeItem('mockSignedIn')
    say({ type: 'SESSION_ENDED', message_en: 'Sign in to continue.', message_ar: 'سجّل الدخول.' })
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible()
    expect(screen.getByText(SIGNED_OUT, { exact: false })).toBeVisible()
    expect(client.getQueryCache().findAll({ queryKey: ['cameras'] })).toEqual([])
    const user = userEvent.setup()
    await user.type(screen.getByLabelText('User name'), 'admin')
    await user.type(screen.getByLabelText('Password'), 'secret')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('heading', { name: 'Agents' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/agents')
  })

  it('is also understood from the way it hangs up', async () => {
    visit('/')
    await listening()
    hangUp(SESSION_ENDED)
    expect(await screen.findByText(SIGNED_OUT, { exact: false })).toBeVisible()
  })

  it('that one may do less is seen at once', async () => {
    visit('/')
    expect(await screen.findByRole('link', { name: 'Administration' })).toBeVisible()
    await listening()
    say({ type: 'ACCESS_CHANGED', me: me({ permissions: ['camera:METRO:view'] }) })
    await waitFor(() => expect(screen.queryByRole('link', { name: 'Administration' })).toBeNull())
  })

  it('of kinds not known yet does no harm', async () => {
    visit('/')
    await listening()
    say({ type: 'QUITE_NEW' } as never)
    expect(await screen.findByRole('heading', { name: 'Cameras' })).toBeVisible()
  })

  it('ends with signing out, which is no surprise', async () => {
    visit('/')
    await listening()
    await userEvent.click(await screen.findByRole('button', { name: 'Sign out' }))
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible()
    await waitFor(() => expect(listeners()).toBe(0))
    expect(screen.queryByText(SIGNED_OUT, { exact: false })).toBeNull()
  })

  it('how many streams there are, is taken over as it is said', async () => {
    visit('/wall?layout=1x1')
    await listening()
    const meter = await screen.findByRole('meter', { name: 'Full streams of Dubai Metro' })
    const use = (current: number, limit: number) => ({ current, limit })
    say({
      type: 'STREAM_STATS',
      seq: 41,
      agencies: [{ agency: 'METRO', full: use(29, 30), reduced: use(0, 60) }],
      total: { full: use(29, 500), reduced: use(0, 1_000) },
    })
    await waitFor(() => expect(meter).toHaveAttribute('aria-valuetext', '29 of 30'))
    const alert = {
      type: 'ALERT',
      about: 'AGENCY_STREAMS',
      agency: 'METRO',
      tier: 'FULL',
      at: '2026-11-23T12:00:00.000Z',
      message_en: 'Metro has hardly any streams left.',
      message_ar: 'لم يبق للمترو بثوث تُذكر.',
    } as const
    say({ ...alert, seq: 42, raised: true })
    expect(await screen.findByText(alert.message_en)).toBeVisible()
    say({ ...alert, seq: 43, raised: false })
    await waitFor(() => expect(screen.queryByText(alert.message_en)).toBeNull())
    // Whoever was away a moment is told what came since.
    hangUp(1000)
    const resume = JSON.stringify({ type: 'RESUME', after: 43, hub: HUB })
    await waitFor(() => expect(said).toContain(resume))
  })

  it('that cameras have changed is looked at, once for many', async () => {
    const { client } = visit('/')
    await screen.findByRole('table', { name: 'Al Rigga depot' })
    await listening()
    const updates = () => client.getQueryState(['cameras'])?.dataUpdateCount ?? 0
    const before = updates()
    const status = { type: 'CAMERA_STATUS', camera_id: me().user_id, state: 'down' } as const
    for (let seq = 1; seq < 50; seq++) say({ ...status, seq })
    await waitFor(() => expect(updates()).toBeGreaterThan(before))
    expect(updates() - before).toBeLessThan(5)
  })

  it('is listened to again after the connection was lost', async () => {
    visit('/')
    await listening()
    hangUp(1000)
    await waitFor(() => expect(listeners()).toBe(0))
    await listening()
  })
})

it('a session that ended unheard is noticed by whoever asks next', async () => {
  visit('/')
  await screen.findByRole('heading', { name: 'Cameras' })
  const { status, en, ar } = PROBLEMS.unauthenticated
  const error = { code: 'unauthenticated', message_en: en, message_ar: ar, correlation_id: '1' }
  server.use(http.get('/api/v1/cameras', () => HttpResponse.json({ error }, { status })))
  expect(await screen.findByText(SIGNED_OUT, { exact: false })).toBeVisible()
})

it('waits longer after every failure, within bounds', () => {
  expect(waitAfter(0, 0)).toBe(500)
  expect(waitAfter(0, 1)).toBe(1_000)
  expect(waitAfter(3, 1)).toBe(8_000)
  expect(waitAfter(500, 1)).toBe(30_000)
})
