import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../testing/page'

const part = async (name: string) => within(await screen.findByRole('region', { name }))

/** userEvent puts its own clipboard in place, which is empty until something is copied. */
const clipboard = () => navigator.clipboard.readText()

describe('where one is signed in', () => {
  it('is said in words, and ended one by one', async () => {
    visit('/profile')
    const user = userEvent.setup()
    const sessions = await part('Sessions')
    const here = (await sessions.findByText('Chrome on Linux')).closest('li')!
    expect(here).toHaveTextContent('This browser')
    expect(within(here).queryByRole('button')).toBeNull()
    const telephone = sessions.getByText('Safari on iPhone').closest('li')!
    expect(telephone).toHaveTextContent('2001:db8::17')
    expect(sessions.getByText('report-maker/2.1')).toBeVisible()
    await user.click(within(telephone).getByRole('button', { name: 'End' }))
    await waitFor(() => expect(sessions.queryByText('Safari on iPhone')).toBeNull())
    expect(await screen.findByText('The session has ended.')).toBeVisible()
  })

  it('can be made this browser alone', async () => {
    visit('/profile')
    const sessions = await part('Sessions')
    await sessions.findByText('Safari on iPhone')
    const others = sessions.getByRole('button', { name: 'End all others' })
    await userEvent.click(others)
    await waitFor(() => expect(sessions.getAllByRole('listitem')).toHaveLength(1))
    expect(others).toHaveAccessibleDescription('You are signed in only here.')
  })
})

describe('the second factor', () => {
  it('is set up with an app, which proves that it knows, and gives codes once', async () => {
    visit('/profile')
    const user = userEvent.setup()
    const card = await part('Second factor')
    await user.click(await card.findByRole('button', { name: 'Set it up…' }))
    const dialog = await screen.findByRole('dialog', { name: 'Set up the second factor' })
    const inside = within(dialog)
    expect(inside.getByRole('img', { name: 'QR code for the authenticator app' })).toHaveAttribute(
      'src',
      expect.stringMatching(/^data:image\/svg/),
    )
    await user.click(inside.getByRole('button', { name: 'Copy' }))
    expect(await clipboard()).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
    await expectAccessible(dialog)
    await user.type(inside.getByLabelText('Code that the app shows'), '000000')
    await user.click(inside.getByRole('button', { name: 'Confirm' }))
    expect(await inside.findByRole('alert')).toHaveTextContent('The code is wrong')
    await user.type(inside.getByLabelText('Code that the app shows'), '123456')
    await user.click(inside.getByRole('button', { name: 'Confirm' }))
    const codes = await screen.findByRole('dialog', { name: 'Recovery codes' })
    expect(within(codes).getAllByRole('listitem')).toHaveLength(10)
    await expectAccessible(codes)
    await user.click(within(codes).getByRole('button', { name: 'Copy' }))
    expect((await clipboard()).split('\n')).toHaveLength(10)
    const print = vi.spyOn(globalThis, 'print').mockImplementation(() => undefined)
    await user.click(within(codes).getByRole('button', { name: 'Print' }))
    expect(print).toHaveBeenCalledOnce()
    await user.click(within(codes).getByRole('button', { name: 'I have kept them' }))
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(await card.findByText('10 recovery codes left')).toBeVisible()
  })

  it('gets new codes, and is removed with the password', async () => {
    visit('/profile')
    const user = userEvent.setup()
    const card = await part('Second factor')
    await user.click(await card.findByRole('button', { name: 'Set it up…' }))
    await user.type(await screen.findByLabelText('Code that the app shows'), '123456')
    await user.click(screen.getByRole('button', { name: 'Confirm' }))
    await user.click(await screen.findByRole('button', { name: 'I have kept them' }))
    await user.click(await card.findByRole('button', { name: 'New recovery codes' }))
    const codes = await screen.findByRole('dialog', { name: 'Recovery codes' })
    expect(codes).toHaveTextContent('The recovery codes from before no longer work.')
    await user.click(within(codes).getByRole('button', { name: 'I have kept them' }))
    await user.click(card.getByRole('button', { name: 'Remove…' }))
    const dialog = await screen.findByRole('dialog', { name: 'Remove the second factor?' })
    const inside = within(dialog)
    await user.type(inside.getByLabelText('Present password'), 'wrong')
    await user.click(inside.getByRole('button', { name: 'Remove it' }))
    expect(await inside.findByRole('alert')).toHaveTextContent('password is wrong')
    await user.type(inside.getByLabelText('Present password'), 'right')
    await user.click(inside.getByRole('button', { name: 'Remove it' }))
    expect(await card.findByText('Off')).toBeVisible()
  })
})

describe('what others are signed in with', () => {
  it('is ended one by one or all at once', async () => {
    visit(`/admin/people/${uuid(0x71)}`)
    const user = userEvent.setup()
    const sessions = await part('Sessions')
    const telephone = (await sessions.findByText('Safari on iPhone')).closest('li')!
    await user.click(within(telephone).getByRole('button', { name: 'End' }))
    await waitFor(() => expect(sessions.queryByText('Safari on iPhone')).toBeNull())
    await user.click(sessions.getByRole('button', { name: 'End all…' }))
    const dialog = await screen.findByRole('dialog', { name: 'End all sessions of Layla Hassan?' })
    await expectAccessible(dialog)
    await user.click(within(dialog).getByRole('button', { name: 'End all' }))
    expect(await screen.findByText('Layla Hassan has been signed out everywhere.')).toBeVisible()
    expect(await sessions.findAllByText('Signed in nowhere.')).not.toHaveLength(0)
  })

  it('loses its second factor only on being asked twice', async () => {
    visit(`/admin/people/${uuid(0x71)}`)
    const user = userEvent.setup()
    const sessions = await part('Sessions')
    await user.click(sessions.getByRole('button', { name: 'Reset the second factor…' }))
    await user.click(await screen.findByRole('button', { name: 'Reset it' }))
    expect(
      await screen.findByText('The second factor of Layla Hassan has been reset.'),
    ).toBeVisible()
  })

  it('is not on one’s own page: that is the own account', async () => {
    visit(`/admin/people/${uuid(0xff)}`)
    await screen.findByRole('region', { name: 'May do' })
    expect(screen.queryByRole('region', { name: 'Sessions' })).toBeNull()
  })
})

describe('API tokens', () => {
  it('are made for a machine, narrowed, and shown once', async () => {
    visit('/profile')
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'Show the tokens' }))
    expect(await screen.findByRole('heading', { name: 'video wall' })).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'New token' }))
    const dialog = await screen.findByRole('dialog', { name: 'New token' })
    const inside = within(dialog)
    await user.click(inside.getByRole('button', { name: 'Make the token' }))
    expect(inside.getByLabelText('What it is for')).toBeInvalid()
    await user.type(inside.getByLabelText('What it is for'), 'report maker')
    await user.selectOptions(inside.getByLabelText('Valid for'), '30 days')
    await user.click(inside.getByRole('button', { name: 'Add' }))
    expect(inside.getByRole('button', { name: 'Remove camera:own:view' })).toBeVisible()
    await expectAccessible(dialog)
    await user.click(inside.getByRole('button', { name: 'Make the token' }))
    const made = await screen.findByRole('dialog', { name: 'Token report maker' })
    expect(made).toHaveTextContent('shown this once')
    await user.click(within(made).getByRole('button', { name: 'Copy' }))
    expect(await clipboard()).toMatch(/^cctv_/)
    await user.click(within(made).getByRole('button', { name: 'Done' }))
    expect(await screen.findByRole('heading', { name: 'report maker' })).toBeVisible()
    expect(screen.queryByText(/^cctv_/)).toBeNull()
  })

  it('are revoked on being asked twice', async () => {
    visit('/tokens')
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'Revoke' }))
    const dialog = await screen.findByRole('dialog', { name: 'Revoke the token video wall?' })
    await user.click(within(dialog).getByRole('button', { name: 'Revoke' }))
    expect(await screen.findByText('There are no tokens.')).toBeVisible()
  })

  it('of others are seen by those who look after tokens', async () => {
    const { router } = visit('/tokens')
    const whose = await screen.findByLabelText('Whose')
    await screen.findByRole('option', { name: 'Layla Hassan (layla.hassan)' })
    await userEvent.selectOptions(whose, 'Layla Hassan (layla.hassan)')
    expect(await screen.findByText('There are no tokens.')).toBeVisible()
    expect(router.state.location.search).toBe(`?user=${uuid(0x71)}`)
    expect(screen.getByRole('button', { name: 'New token' })).toHaveAccessibleDescription(
      'A token can only be made by its owner.',
    )
  })

  it('of others are nobody else’s business', async () => {
    visit(`/tokens?user=${uuid(0x71)}`, { as: 'operator' })
    expect(await screen.findByRole('heading', { name: 'video wall' })).toBeVisible()
    expect(screen.queryByLabelText('Whose')).toBeNull()
  })

  it.each(['en', 'ar'] as const)('are accessible (%s)', async (language) => {
    visit('/tokens', { language })
    await screen.findByRole('heading', { level: 3 })
    await expectAccessible()
  })
})
