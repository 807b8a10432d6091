import { act, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it, vi } from 'vitest'
import { expectAccessible, visit } from '../../testing/page'
import { server } from '../../testing/server'

const row = (name: string) => screen.getByRole('row', { name: new RegExp(name) })

describe('the cameras of all sites', () => {
  it('show their true health', async () => {
    visit('/')
    await screen.findByRole('table', { name: 'Al Rigga depot' })
    expect(row('Gate 1')).toHaveTextContent('Live')
    expect(row('Fuel island')).toHaveTextContent(/Stale.*4\ds ago/)
    expect(row('Southbound 1')).toHaveTextContent(
      /No picture.*The camera refused the user name or password.*23m/,
    )
    expect(row('Workshop')).toHaveTextContent(/Off.*No picture yet/)
  })

  it('are found by words and by state, and the address says so', async () => {
    const { router } = visit('/')
    await screen.findByRole('table', { name: 'Creek crossing' })
    await userEvent.type(screen.getByRole('searchbox'), 'bound 1')
    expect(screen.getAllByRole('row').slice(1)).toHaveLength(2)
    await userEvent.click(screen.getByRole('button', { name: /No picture/ }))
    expect(screen.getAllByRole('row').slice(1)).toHaveLength(1)
    expect(router.state.location.search).toBe('?q=bound+1&show=trouble')
  })

  it('never pass for live when the coordinator has fallen silent', async () => {
    visit('/')
    await screen.findByRole('table', { name: 'Al Rigga depot' })
    localStorage.setItem('mockSilent', '1')
    const later = Date.now() + 15_000
    vi.spyOn(Date, 'now').mockReturnValue(later)
    expect(await screen.findByText(/The system has not answered for/)).toBeVisible()
    for (const table of screen.getAllByRole('table')) {
      expect(within(table).queryByText('Live')).toBeNull()
      expect(within(table).getAllByText('Not heard from')).toHaveLength(4)
    }
  })

  it('are none at first, and what to do is said', async () => {
    server.use(http.get('/api/v1/cameras', () => HttpResponse.json({ items: [] })))
    visit('/')
    expect(await screen.findByText('No cameras yet')).toBeVisible()
    expect(screen.getByRole('link', { name: 'To the agents' })).toHaveAttribute('href', '/agents')
  })

  it('are all asked for, page by page', async () => {
    const asked: string[] = []
    server.use(
      http.get('/api/v1/cameras', ({ request }) => {
        const after = new URL(request.url).searchParams.get('after')
        asked.push(after ?? 'first')
        return HttpResponse.json(after ? { items: [] } : { items: [], next: 'second' })
      }),
    )
    visit('/')
    await screen.findByText('No cameras yet')
    expect(asked.slice(0, 2)).toEqual(['first', 'second'])
  })

  it('are those that one may see, without the agents', async () => {
    visit('/', { as: 'operator' })
    await screen.findByRole('table', { name: 'Al Rigga depot' })
    expect(screen.getAllByRole('row').slice(1)).toHaveLength(2)
    expect(screen.queryByRole('link', { name: 'Agents' })).toBeNull()
  })

  it('say that nobody answers', async () => {
    visit('/')
    localStorage.setItem('mockSilent', '1')
    expect(await screen.findByRole('alert')).toHaveTextContent('The system does not answer')
  })

  it.each(['en', 'ar'] as const)('are accessible (%s)', async (language) => {
    visit('/', { language })
    await screen.findByRole('table', { name: 'Al Rigga depot' })
    await act(() => Promise.resolve())
    await expectAccessible()
  })
})

describe('the language', () => {
  it('is switched with its direction, and kept', async () => {
    visit('/')
    await userEvent.click(await screen.findByRole('button', { name: 'العربية' }))
    expect(document.documentElement).toHaveAttribute('dir', 'rtl')
    expect(document.documentElement).toHaveAttribute('lang', 'ar')
    expect(await screen.findByRole('heading', { name: 'الكاميرات' })).toBeVisible()
    expect(localStorage.getItem('cctv.preferences')).toContain('"language":"ar"')
  })
})

describe('an address that leads nowhere', () => {
  it('says so', async () => {
    visit('/nowhere')
    expect(await screen.findByText('There is nothing here')).toBeVisible()
  })
})
