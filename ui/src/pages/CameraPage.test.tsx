import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { camera, uuid } from '@mock/builders'
import { http, HttpResponse } from 'msw'
import { expectAccessible, visit } from '../../testing/page'
import { server } from '../../testing/server'

const path = (number: number, search = '') => `/cameras/${uuid(number)}${search}`

describe('the page of a camera', () => {
  it('shows its health, its day and what is missing from it', async () => {
    visit(path(1, '?day=2026-11-22'))
    expect(await screen.findByRole('heading', { name: 'Gate 1, entry lane' })).toBeVisible()
    expect(screen.getByRole('region', { name: 'Health' })).toHaveTextContent('+4 ms ± 14 ms')
    expect(screen.getByLabelText('Choose a day')).toHaveValue('2026-11-22')
    expect(screen.getByRole('slider', { name: 'Timeline of the day' })).toBeInTheDocument()
  })

  it('reads its day on the clocks of the site, and says so', async () => {
    const gate = camera({ id: uuid(1), time_zone: 'Asia/Tokyo' })
    server.use(http.get('/api/v1/cameras/:id', () => HttpResponse.json(gate)))
    // 23:30 in the Emirates, and the next morning in Tokyo.
    visit(path(1, '?at=2026-11-21T19:30:00.000Z'))
    expect(await screen.findByText(/Times at the site/)).toHaveTextContent('UTC+9')
    expect(screen.getByLabelText('Choose a day')).toHaveValue('2026-11-22')
  })

  it('of a site that has not told its zone shows the times of the workstation', async () => {
    const gate = camera({ id: uuid(1), time_zone: 'Mars/Base' })
    server.use(http.get('/api/v1/cameras/:id', () => HttpResponse.json(gate)))
    visit(path(1, '?at=2026-11-21T19:30:00.000Z'))
    expect(await screen.findByText(/Times of this workstation/)).toHaveTextContent('UTC+4')
    expect(screen.getByLabelText('Choose a day')).toHaveValue('2026-11-21')
  })

  it('goes from day to day, and not into the future', async () => {
    const { router } = visit(path(1))
    const next = await screen.findByRole('button', { name: 'Next day' })
    expect(next).toHaveAccessibleDescription('This is today.')
    await userEvent.click(screen.getByRole('button', { name: 'Previous day' }))
    expect(router.state.location.search).toMatch(/^\?day=\d{4}-\d{2}-\d{2}$/)
    await userEvent.click(screen.getByRole('button', { name: 'Today' }))
    expect(screen.getByRole('button', { name: 'Next day' })).toHaveAccessibleDescription(
      'This is today.',
    )
  })

  it('says when this browser cannot decode video, without a button that will not help', async () => {
    visit(path(1))
    expect(await screen.findByText(/This browser cannot show this camera/)).toBeVisible()
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull()
  })

  it('leads to the other cameras', async () => {
    visit(path(1))
    const rail = await screen.findByRole('navigation', { name: 'All cameras' })
    expect(within(rail).getAllByRole('link')).toHaveLength(8)
    expect(within(rail).getByRole('link', { current: 'page' })).toHaveTextContent('Gate 1')
  })

  it('shows what one may not do, and why', async () => {
    visit(path(1), { as: 'operator' })
    expect(await screen.findByRole('button', { name: 'Reconnect' })).toHaveAccessibleDescription(
      'Your role may watch this camera but not change it.',
    )
  })

  it('passes on what the coordinator says to a restart', async () => {
    visit(path(7))
    await userEvent.click(await screen.findByRole('button', { name: 'Reconnect' }))
    expect(await screen.findByText('The site is not connected at the moment.')).toBeVisible()
  })

  it('of a camera that is not there says so', async () => {
    visit(path(99))
    expect(await screen.findByText('There is nothing here')).toBeVisible()
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    visit(path(1), { language })
    await screen.findByRole('heading', { level: 1 })
    await expectAccessible()
  })
})
