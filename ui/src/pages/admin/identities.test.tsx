import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../../testing/page'

const layla = `/admin/people/${uuid(0x71)}`
const omar = `/admin/people/${uuid(0x72)}`

const card = async (name = 'Identities elsewhere') =>
  within(await screen.findByRole('region', { name }))

describe('identities elsewhere', () => {
  it('are linked with issuer and name, of which nothing is changed', async () => {
    visit(omar)
    const user = userEvent.setup()
    const identities = await card()
    const none = 'No identity of elsewhere is linked.'
    expect(await identities.findByText(none, { selector: 'p' })).toBeVisible()
    expect(identities.getByRole('button', { name: 'Unlink all…' })).toHaveAccessibleDescription(
      none,
    )
    await user.click(identities.getByRole('button', { name: 'Link an identity…' }))
    const dialog = screen.getByRole('dialog', { name: 'Link an identity to Omar Said' })
    const inside = within(dialog)
    const submit = () => user.click(inside.getByRole('button', { name: 'Link it' }))
    await submit()
    expect(inside.getByLabelText('Issuer')).toBeInvalid()
    expect(inside.getByLabelText('Name there')).toBeInvalid()
    await expectAccessible(dialog)
    await user.type(inside.getByLabelText('Issuer'), 'https://sso.example/realms/rta')
    await user.type(inside.getByLabelText('Name there'), '248289761001')
    await submit()
    expect(await inside.findByRole('alert')).toHaveTextContent('already opens an account')
    await user.type(inside.getByLabelText('Name there'), 'x ')
    await submit()
    expect(
      await screen.findByText('The identity now opens the account of Omar Said.'),
    ).toBeVisible()
    const linked = (await identities.findByText(/^248289761001x/)).closest('li')!
    expect(linked).toHaveTextContent('https://sso.example/realms/rta')
    expect(linked.textContent).toContain('248289761001x ')
  })

  it('are unlinked all at once, after one more question', async () => {
    visit(layla)
    const user = userEvent.setup()
    const identities = await card()
    expect(await identities.findByText('248289761001')).toBeVisible()
    await user.click(identities.getByRole('button', { name: 'Unlink all…' }))
    const dialog = screen.getByRole('dialog', { name: 'Unlink all identities of Layla Hassan?' })
    expect(dialog).toHaveTextContent('Layla Hassan is signed out everywhere')
    await expectAccessible(dialog)
    await user.click(within(dialog).getByRole('button', { name: 'Unlink all' }))
    await waitFor(() => expect(identities.queryByText('248289761001')).toBeNull())
    expect(
      await screen.findByText('No identity opens the account of Layla Hassan any more.'),
    ).toBeVisible()
  })

  it('are told in Arabic', async () => {
    visit(layla, { language: 'ar' })
    const identities = await card('هويات خارجية')
    expect(await identities.findByText('248289761001')).toBeVisible()
    await userEvent.click(identities.getByRole('button', { name: 'ربط هوية…' }))
    await expectAccessible(screen.getByRole('dialog'))
  })
})
