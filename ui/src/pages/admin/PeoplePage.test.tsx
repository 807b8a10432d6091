import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../../testing/page'

describe('the people', () => {
  const names = () =>
    within(screen.getByRole('table', { name: 'People' }))
      .getAllByRole('link')
      .map((link) => link.textContent)

  it('are found by words in both languages, and the address says so', async () => {
    const { router } = visit('/admin/people')
    const search = await screen.findByLabelText(/^Search/)
    await userEvent.type(search, 'المنصوري')
    await waitFor(() => expect(names()).toEqual(['Omar Said']))
    await userEvent.clear(search)
    await userEvent.type(search, '10482')
    await waitFor(() => expect(names()).toEqual(['Layla Hassan']))
    expect(router.state.location.search).toBe('?q=10482')
    await userEvent.type(search, 'x')
    expect(await screen.findByText('Nobody matches these filters.')).toBeVisible()
  })

  it('are filtered by agency, status and role', async () => {
    visit('/admin/people?agency=DUBAI_POLICE&status=DISABLED')
    await screen.findByRole('table')
    expect(names()).toEqual(['Hind Ali'])
    await screen.findByRole('option', { name: 'Dubai Metro' })
    await userEvent.selectOptions(screen.getByLabelText('Agency'), 'Whole authority')
    await userEvent.selectOptions(screen.getByLabelText('Status'), 'All')
    await userEvent.selectOptions(screen.getByLabelText('Role'), 'Auditor')
    await waitFor(() => expect(names()).toEqual(['External auditor']))
  })

  it('come in pages', async () => {
    visit('/admin/people?agency=BUS')
    const pages = await screen.findByRole('navigation', { name: 'Pages of the list' })
    expect(pages).toHaveTextContent('1–50 of 61')
    expect(within(pages).getByRole('button', { name: 'Previous' })).toHaveAccessibleDescription(
      'This is the first page.',
    )
    await userEvent.click(within(pages).getByRole('button', { name: 'Next' }))
    await waitFor(() => expect(pages).toHaveTextContent('51–61 of 61'))
    expect(within(pages).getByRole('button', { name: 'Next' })).toHaveAccessibleDescription(
      'This is the last page.',
    )
  })

  it('are no business of an operator, who is not led there', async () => {
    visit('/admin/people', { as: 'operator' })
    expect(await screen.findByRole('alert')).toHaveTextContent('You may not do this.')
    expect(screen.queryByRole('link', { name: 'Administration' })).toBeNull()
  })

  it('have their Arabic names in Arabic', async () => {
    visit('/admin/people?agency=METRO', { language: 'ar' })
    expect(await screen.findByRole('link', { name: 'ليلى حسن' })).toBeVisible()
  })

  it.each(['en', 'ar'] as const)('are accessible (%s)', async (language) => {
    visit('/admin/people', { language })
    await screen.findByRole('table')
    await expectAccessible()
  })
})

describe('administration', () => {
  it('begins with what one may see', async () => {
    const { router } = visit('/')
    await userEvent.click(await screen.findByRole('link', { name: 'Administration' }))
    await screen.findByRole('heading', { name: 'People' })
    expect(router.state.location.pathname).toBe('/admin/people')
    const pages = within(screen.getByRole('navigation', { name: 'Administration' }))
    expect(pages.getByRole('link', { name: 'People' })).toHaveAttribute('aria-current', 'page')
    expect(pages.getAllByRole('link').map((link) => link.textContent)).toEqual(
      expect.arrayContaining(['People', 'Groups', 'Roles', 'Agencies']),
    )
  })
})

describe('somebody new', () => {
  it('is made, and shown', async () => {
    const { router } = visit('/admin/people/new')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('User name'), 'noura.salem')
    await user.type(screen.getByLabelText('Name in English'), 'Noura Salem')
    await screen.findByRole('option', { name: 'Dubai Metro' })
    await user.selectOptions(screen.getByLabelText('Agency'), 'Dubai Metro')
    await user.click(await screen.findByLabelText(/^Operator/))
    await user.type(screen.getByLabelText('New password'), 'correct horse staple')
    await user.type(screen.getByLabelText('New password once more'), 'correct horse staple')
    await user.click(screen.getByRole('button', { name: 'Create the person' }))
    expect(await screen.findByRole('heading', { name: 'Noura Salem' })).toBeVisible()
    expect(router.state.location.pathname).toMatch(/^\/admin\/people\/[0-9a-f-]{36}$/)
    expect(screen.getByText('camera:METRO:view')).toBeVisible()
  })

  it('who cannot be is not sent, and the slips are marked', async () => {
    visit('/admin/people/new')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('E-mail'), 'nobody')
    await user.type(screen.getByLabelText('New password'), 'short')
    await user.click(screen.getByRole('button', { name: 'Create the person' }))
    expect(screen.getByLabelText('User name')).toHaveAccessibleDescription(/A user name is needed/)
    expect(screen.getByLabelText('Name in English')).toBeInvalid()
    expect(screen.getByLabelText('E-mail')).toBeInvalid()
    expect(screen.getByLabelText('New password')).toBeInvalid()
    await expectAccessible()
  })

  it('whose name is taken is refused in words, and nothing is lost', async () => {
    visit('/admin/people/new')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('User name'), 'omar.said')
    await user.type(screen.getByLabelText('Name in English'), 'Omar Two')
    await user.click(screen.getByRole('button', { name: 'Create the person' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('This name or number is taken.')
    expect(screen.getByRole('alert')).toHaveTextContent('the login')
    expect(screen.getByLabelText('Name in English')).toHaveValue('Omar Two')
  })

  it.each(['en', 'ar'] as const)('is asked for accessibly (%s)', async (language) => {
    visit('/admin/people/new', { language })
    await screen.findAllByRole('checkbox')
    await expectAccessible()
  })
})

it('somebody who is not there is said not to be', async () => {
  visit(`/admin/people/${uuid(0x999)}`)
  expect(await screen.findByText('There is nothing here')).toBeVisible()
})
