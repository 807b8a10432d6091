import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { changeBehindTheBack } from '@mock/directory'
import { expectAccessible, visit } from '../../../testing/page'

const layla = `/admin/people/${uuid(0x71)}`
const omar = `/admin/people/${uuid(0x72)}`
const own = `/admin/people/${uuid(0xff)}`

const region = (name: string) => screen.findByRole('region', { name })

describe('a person', () => {
  it('may do what is explained, with where it comes from', async () => {
    visit(layla)
    const may = within(await region('May do'))
    const line = async (code: string) => (await may.findByText(code)).closest('li')!
    await waitFor(async () =>
      expect(await line('camera:METRO:view')).toHaveTextContent('Role Operator'),
    )
    expect(await line('camera:METRO:view')).toHaveTextContent(
      'Group Night shift, by its role Operator',
    )
    const played = await line('camera:METRO:playback')
    await waitFor(() => expect(played).toHaveTextContent('Partly taken away by'))
    const forbidden = may
      .getAllByText(`!camera:${uuid(2)}:playback`)
      .map((code) => code.closest('li')!)
      .find((one) => one.textContent.includes('Forbidden'))
    expect(forbidden).toHaveTextContent('An exception for this person')
    await waitFor(() => expect(forbidden).toHaveTextContent(/Forbidden.*Play recordings.*Cameras/))
  })

  it('is changed, and only when something was', async () => {
    visit(layla)
    const save = await screen.findByRole('button', { name: 'Save' })
    expect(save).toHaveAccessibleDescription('Nothing has been changed.')
    const section = screen.getByLabelText('Section')
    await userEvent.clear(section)
    await userEvent.type(section, 'Green line')
    await userEvent.click(save)
    expect(await screen.findByText('Layla Hassan has been saved.')).toBeVisible()
    expect(section).toHaveValue('Green line')
  })

  it('who was changed by somebody else meanwhile loses neither change', async () => {
    visit(omar)
    const user = userEvent.setup()
    const department = await screen.findByLabelText('Department')
    await user.type(department, 'Night buses')
    await user.type(screen.getByLabelText('Section'), 'Route 8')
    changeBehindTheBack(uuid(0x72), { section: 'Route 7', email: 'omar@bus.example' })
    await user.click(screen.getByRole('button', { name: 'Save' }))
    const notice = await screen.findByText(/Somebody else changed this/)
    const said = notice.closest('[role=status]')!
    expect(said).toHaveTextContent(/E-mail.*is now omar@bus\.example instead of empty; the form/)
    expect(said).toHaveTextContent(/Section.*is now Route 7.*what you wrote would replace it/)
    expect(department).toHaveValue('Night buses')
    expect(screen.getByLabelText('Section')).toHaveValue('Route 8')
    expect(screen.getByLabelText('E-mail')).toHaveValue('omar@bus.example')
    await expectAccessible()
    await user.click(screen.getByRole('button', { name: 'Save on top' }))
    expect(await screen.findByText('Omar Said has been saved.')).toBeVisible()
    expect(screen.queryByText(/Somebody else changed this/)).toBeNull()
  })

  it('gets an exception for one camera, by its name', async () => {
    visit(layla)
    const user = userEvent.setup()
    const exceptions = within(await region('Exceptions'))
    await user.selectOptions(exceptions.getByLabelText('Allow or forbid'), 'Forbid')
    await user.selectOptions(exceptions.getByLabelText('To do what'), 'Export')
    await screen.findAllByRole('option', { name: 'One camera' })
    await user.selectOptions(exceptions.getByLabelText('Which'), 'One camera')
    await user.selectOptions(
      exceptions.getByLabelText('Camera'),
      'Al Rigga depot · Gate 1, entry lane',
    )
    await user.click(exceptions.getByRole('button', { name: 'Add' }))
    const rule = `!camera:${uuid(1)}:export`
    const remove = exceptions.getByRole('button', { name: `Remove ${rule}` })
    expect(remove.closest('li')).toHaveTextContent('Gate 1, entry lane')
    expect(exceptions.getByRole('button', { name: 'Add' })).toHaveAccessibleDescription(
      'This is in the list already.',
    )
    await user.click(screen.getByRole('button', { name: 'Save' }))
    const may = within(await region('May do'))
    expect(await may.findByText(rule)).toBeVisible()
    await user.click(remove)
    expect(exceptions.queryByRole('button', { name: `Remove ${rule}` })).toBeNull()
  })

  it('joins and leaves groups at once', async () => {
    visit(layla)
    const user = userEvent.setup()
    const groups = within(await region('Groups'))
    await user.selectOptions(await groups.findByLabelText('Add to a group'), 'Incident room')
    await user.click(groups.getByRole('button', { name: 'Add' }))
    const leave = await groups.findByRole('button', { name: 'Remove from Incident room' })
    expect(groups.getByText('There is no other group for this person.')).toBeVisible()
    await user.click(leave)
    await waitFor(() =>
      expect(groups.queryByRole('button', { name: 'Remove from Incident room' })).toBeNull(),
    )
  })

  it('is disabled after one more question, and enabled again', async () => {
    visit(omar)
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'Disable…' }))
    const dialog = screen.getByRole('dialog', { name: 'Disable Omar Said?' })
    expect(dialog).toHaveTextContent('signed out everywhere within two seconds')
    await expectAccessible(dialog)
    await user.click(within(dialog).getByRole('button', { name: 'Disable' }))
    expect(await screen.findByText('Omar Said has been disabled.')).toBeVisible()
    await user.click(await screen.findByRole('button', { name: 'Enable…' }))
    await user.click(within(screen.getByRole('dialog')).getByRole('button', { name: 'Enable' }))
    expect(await screen.findByRole('button', { name: 'Disable…' })).toBeVisible()
  })

  it('gets a password that is good enough', async () => {
    visit(omar)
    const user = userEvent.setup()
    await user.click(await screen.findByRole('button', { name: 'Set a password…' }))
    const dialog = within(screen.getByRole('dialog', { name: 'New password for Omar Said' }))
    const fill = async (password: string, repeated = password) => {
      await user.clear(dialog.getByLabelText('New password'))
      await user.type(dialog.getByLabelText('New password'), password)
      await user.clear(dialog.getByLabelText('New password once more'))
      await user.type(dialog.getByLabelText('New password once more'), repeated)
      await user.click(dialog.getByRole('button', { name: 'Set the password' }))
    }
    await fill('elevenchars')
    expect(dialog.getByText('At least 12 characters are needed.')).toBeVisible()
    await fill('correct horse staple', 'correct horse')
    expect(dialog.getByText('The two are not the same.')).toBeVisible()
    await fill('password1234')
    expect(await dialog.findByRole('alert')).toHaveTextContent('This password cannot be used')
    await fill('correct horse staple')
    expect(await screen.findByText('Omar Said has a new password.')).toBeVisible()
  })

  it('cannot be disabled by themselves', async () => {
    visit(own)
    expect(await screen.findByRole('button', { name: 'Disable…' })).toHaveAccessibleDescription(
      'You cannot disable yourself.',
    )
  })

  it.each(['en', 'ar'] as const)('is shown accessibly (%s)', async (language) => {
    visit(layla, { language })
    await screen.findAllByRole('checkbox')
    await expectAccessible()
  })
})
