import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { expectAccessible, visit } from '../../testing/page'

describe('the agents', () => {
  it('show link, disk, debts and forecast', async () => {
    visit('/agents')
    const creek = await screen.findByRole('article', { name: 'creek-nvr-1' })
    expect(creek).toHaveTextContent('Connected')
    expect(creek).toHaveTextContent('219 GB only here')
    expect(creek).toHaveTextContent('61 GB free of 480 GB')
    expect(creek).toHaveTextContent(/Uploads waiting\s*431/)
    expect(creek).toHaveTextContent(/begin to be deleted on \w+day/)
    const depot = screen.getByRole('article', { name: 'depot-nvr-1' })
    expect(depot).toHaveTextContent('nothing will be deleted before it is at the centre')
  })

  it.each(['en', 'ar'] as const)('are accessible (%s)', async (language) => {
    visit('/agents', { language })
    await screen.findByRole('article', { name: 'creek-nvr-1' })
    await expectAccessible()
  })
})

describe('an invitation', () => {
  const open = async () => {
    visit('/agents')
    await userEvent.click(await screen.findByRole('button', { name: 'Invite an agent' }))
    return screen.findByRole('dialog', { name: 'Invite an agent' })
  }
  const nameSite = async (dialog: HTMLElement, name: string) => {
    const site = within(dialog).getByLabelText('Site')
    await userEvent.clear(site)
    if (name) await userEvent.type(site, name)
    await userEvent.click(within(dialog).getByRole('button', { name: 'Make the code' }))
  }

  it('gives a code as text and as a picture, and says how long it works', async () => {
    const dialog = await open()
    await nameSite(dialog, 'New site')
    expect(await within(dialog).findByRole('img', { name: /QR code/ })).toBeVisible()
    expect(dialog).toHaveTextContent('cctv-agent enroll cctv1:centre.example:7443:')
    expect(dialog).toHaveTextContent(/Works once, for another (1d|23h 59m)/)
    await expectAccessible(dialog)
  })

  it('wants a site', async () => {
    const dialog = await open()
    await nameSite(dialog, '')
    expect(within(dialog).getByLabelText('Site')).toBeInvalid()
    expect(dialog).toHaveTextContent('Say which site the agent belongs to.')
    await expectAccessible(dialog)
  })

  it('that is refused says why', async () => {
    const dialog = await open()
    await nameSite(dialog, 'nowhere')
    expect(await within(dialog).findByRole('alert')).toHaveTextContent(
      'A value in the request is not allowed.',
    )
  })
})

describe('revoking', () => {
  it('asks once more, and is seen to be done', async () => {
    visit('/agents')
    const creek = await screen.findByRole('article', { name: 'creek-nvr-1' })
    await userEvent.click(within(creek).getByRole('button', { name: 'Revoke' }))
    const dialog = await screen.findByRole('dialog', { name: 'Revoke creek-nvr-1?' })
    await expectAccessible(dialog)
    await userEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }))
    expect(screen.queryByRole('dialog')).toBeNull()
    await userEvent.click(within(creek).getByRole('button', { name: 'Revoke' }))
    await userEvent.click(
      within(screen.getByRole('dialog')).getByRole('button', { name: 'Revoke' }),
    )
    expect(await screen.findByText('creek-nvr-1 has been revoked.')).toBeVisible()
    const again = within(creek).getByRole('button', { name: 'Revoke' })
    expect(again).toHaveAccessibleDescription('This agent has been revoked already.')
    await userEvent.click(again)
    expect(screen.queryByRole('dialog')).toBeNull()
  })
})
