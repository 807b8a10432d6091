import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../../testing/page'

const incidentRoom = `/admin/groups/${uuid(0x62)}`

describe('groups', () => {
  it('are listed with how many are in them', async () => {
    visit('/admin/groups')
    const row = await screen.findByRole('row', { name: /Night shift/ })
    expect(row).toHaveTextContent(/Night shift\s*1/)
  })

  it('are made with names in both languages', async () => {
    visit('/admin/groups/new')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('Name in English'), 'Evening shift')
    await user.click(screen.getByRole('button', { name: 'Create the group' }))
    expect(screen.getByLabelText('Name in Arabic')).toHaveAccessibleDescription(
      'A name is needed in both languages.',
    )
    await user.type(screen.getByLabelText('Name in Arabic'), 'وردية المساء')
    await user.click(screen.getByRole('button', { name: 'Create the group' }))
    expect(await screen.findByRole('heading', { name: 'Evening shift' })).toBeVisible()
  })

  it('say who is in them', async () => {
    visit(`/admin/groups/${uuid(0x61)}`)
    expect(await screen.findByRole('link', { name: 'Layla Hassan' })).toBeVisible()
  })

  it('are changed, and deleted after one more question', async () => {
    visit(incidentRoom)
    const user = userEvent.setup()
    await user.click(await screen.findByLabelText(/^Shift leader/))
    await user.click(screen.getByRole('button', { name: 'Save' }))
    expect(await screen.findByText('Incident room has been saved.')).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'Delete…' }))
    const dialog = screen.getByRole('dialog', { name: 'Delete Incident room?' })
    await expectAccessible(dialog)
    await user.click(within(dialog).getByRole('button', { name: 'Delete' }))
    expect(await screen.findByText('Incident room has been deleted.')).toBeVisible()
    await screen.findByRole('heading', { name: 'Groups' })
  })
})

describe('roles', () => {
  it('that come with the product are shown and not changed', async () => {
    visit('/admin/roles/operator')
    expect(await screen.findByLabelText('Name in English')).toHaveAttribute('readonly')
    expect(screen.getByRole('button', { name: 'Delete…' })).toHaveAccessibleDescription(
      /comes with the product/,
    )
    expect(screen.getByText('camera:own:playback')).toBeVisible()
    expect(screen.queryByRole('button', { name: 'Add' })).toBeNull()
  })

  it('are made, with a code that they keep', async () => {
    const { router } = visit('/admin/new-role')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('Code'), '1st')
    await user.type(screen.getByLabelText('Name in English'), 'Exporter')
    await user.type(screen.getByLabelText('Name in Arabic'), 'مُصدّر')
    await user.click(screen.getByRole('button', { name: 'Create the role' }))
    expect(screen.getByLabelText('Code')).toBeInvalid()
    await user.clear(screen.getByLabelText('Code'))
    await user.type(screen.getByLabelText('Code'), 'Exporter')
    await user.selectOptions(screen.getByLabelText('To do what'), 'Export')
    await user.click(screen.getByRole('button', { name: 'Add' }))
    await user.click(screen.getByRole('button', { name: 'Create the role' }))
    expect(await screen.findByRole('heading', { name: 'Exporter' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/admin/roles/exporter')
    expect(screen.getByRole('button', { name: 'Remove camera:own:export' })).toBeVisible()
  })

  it('that do not exist are said not to', async () => {
    visit('/admin/roles/nobody')
    expect(await screen.findByText('There is nothing here')).toBeVisible()
  })
})

describe('agencies', () => {
  it('are made and renamed', async () => {
    visit('/admin/agencies')
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'New agency' }))
    const dialog = within(screen.getByRole('dialog', { name: 'New agency' }))
    await user.type(dialog.getByLabelText('Code'), 'tram')
    await user.type(dialog.getByLabelText('Name in English'), 'Dubai Tram')
    await user.type(dialog.getByLabelText('Name in Arabic'), 'ترام دبي')
    await user.click(dialog.getByRole('button', { name: 'Create the agency' }))
    const row = await screen.findByRole('row', { name: /TRAM/ })
    await user.click(within(row).getByRole('button', { name: 'Rename' }))
    const rename = within(screen.getByRole('dialog', { name: 'Rename TRAM' }))
    await user.type(rename.getByLabelText('Name in English'), ' and Trolley')
    await user.click(rename.getByRole('button', { name: 'Save' }))
    expect(await screen.findByRole('row', { name: /Dubai Tram and Trolley/ })).toBeVisible()
  })
})

const pages = [
  '/admin/groups',
  '/admin/groups/new',
  `/admin/groups/${uuid(0x61)}`,
  '/admin/roles',
  '/admin/new-role',
  '/admin/roles/operator',
  '/admin/agencies',
]

describe.each(['en', 'ar'] as const)('in %s', (language) => {
  it.each(pages)('%s is accessible', async (path) => {
    visit(path, { language })
    await screen.findByRole('heading', { level: 1 })
    await expectAccessible()
  })
})
