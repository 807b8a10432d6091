import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../../testing/page'
import { server } from '../../../testing/server'

const rows = () => within(screen.getByRole('table', { name: 'Audit' })).getAllByRole('row')

describe('the audit', () => {
  it('is searched from the address, in the zone that was chosen', async () => {
    const { router } = visit('/admin/audit?zone=utc')
    const user = userEvent.setup()
    await screen.findByRole('table', { name: 'Audit' })
    fireEvent.change(screen.getByLabelText('From'), { target: { value: '2026-11-23T08:50' } })
    await user.selectOptions(screen.getByLabelText('What'), 'Signing in and out')
    await user.click(screen.getByRole('button', { name: 'Search' }))
    await waitFor(() => expect(rows()).toHaveLength(2))
    expect(rows()[1]).toHaveTextContent('23 Nov 2026, 09:00:00')
    const search = new URLSearchParams(router.state.location.search)
    expect(search.get('from')).toBe('2026-11-23T08:50:00.000Z')
    expect(search.get('what')).toBe('sessions')
    await user.selectOptions(screen.getByLabelText('Times'), 'Of this computer (UTC+4)')
    await waitFor(() => expect(screen.getByLabelText('From')).toHaveValue('2026-11-23T12:50'))
    expect(rows()[1]).toHaveTextContent('23 Nov 2026, 13:00:00')
  })

  it('goes on to older entries', async () => {
    visit('/admin/audit')
    await userEvent.click(await screen.findByRole('button', { name: 'Older entries' }))
    await waitFor(() => expect(rows()).toHaveLength(131))
    expect(screen.queryByRole('button', { name: 'Older entries' })).toBeNull()
  })

  it('shows all of an entry, and leads to others like it', async () => {
    const { router } = visit('/admin/audit?text=Gate%20129')
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'No. 129' }))
    const dialog = screen.getByRole('dialog', { name: 'Entry 129' })
    expect(dialog).toHaveTextContent('"display_name": "Gate 129"')
    expect(dialog).toHaveTextContent('camera_changed')
    await expectAccessible(dialog)
    await user.click(within(dialog).getByRole('button', { name: 'Same object' }))
    expect(router.state.location.search).toContain(`object=${uuid(1)}`)
    expect(screen.queryByRole('dialog')).toBeNull()
  })

  it('says when nothing matches, and clears what was asked for', async () => {
    const { router } = visit('/admin/audit?text=nothing-has-this&zone=utc')
    const user = userEvent.setup()
    expect(await screen.findByText('No entry matches.')).toBeVisible()
    await user.type(screen.getByLabelText('Address'), '192.0.2.1')
    await user.click(screen.getByRole('button', { name: 'Clear' }))
    await screen.findByRole('table', { name: 'Audit' })
    expect(screen.getByLabelText('Address')).toHaveValue('')
    expect(router.state.location.search).toBe('?zone=utc')
  })

  it('says that its chain is whole, and who remembers it', async () => {
    visit('/admin/audit')
    const chain = await screen.findByRole('region', { name: 'State of the chain' })
    expect(chain).toHaveTextContent('The chain is whole')
    await userEvent.click(within(chain).getByText('one agent remembers it'))
    expect(within(chain).getByText('depot-nvr-1')).toBeVisible()
    expect(chain).toHaveTextContent('Entry 130, told 23 Nov 2026, 13:00:00')
  })

  it('says aloud that it was changed', async () => {
    server.use(
      http.get('/api/v1/audit/chain', () =>
        HttpResponse.json({
          state: 'broken',
          first_broken: 17,
          witnesses: [],
          disputes: [
            {
              agent_id: uuid(0xa1),
              agent_name: 'depot-nvr-1',
              head: { number: 90, hash: 'ab' },
              found_at: '2026-11-23T09:00:00.000Z',
            },
          ],
        }),
      ),
    )
    visit('/admin/audit')
    const [broken, dispute] = await screen.findAllByRole('alert')
    expect(broken).toHaveTextContent('Entry 17 is the first that is not what was written.')
    expect(dispute).toHaveTextContent('Agent depot-nvr-1 remembers entry 90')
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    visit('/admin/audit?text=Gate%2012', { language })
    await screen.findByRole('table')
    await expectAccessible()
  })
})
