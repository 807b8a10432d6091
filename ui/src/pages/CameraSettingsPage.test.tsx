import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { expectAccessible, visit } from '../../testing/page'

const path = (number: number) => `/cameras/${uuid(number)}/settings`

describe('the settings of a camera', () => {
  it('are saved, only what was changed', async () => {
    visit(path(2))
    const save = await screen.findByRole('button', { name: 'Save' })
    expect(save).toHaveAccessibleDescription('Nothing has been changed.')
    expect(screen.getByLabelText('Record')).toHaveDisplayValue('As the agent’s own file says')
    await userEvent.selectOptions(screen.getByLabelText('Record'), 'Around events')
    await userEvent.type(screen.getByLabelText('Keep at the site, in hours'), '48')
    await userEvent.click(save)
    expect(await screen.findByText(/Settings saved/)).toBeVisible()
    expect(screen.getByLabelText('Record')).toHaveDisplayValue('Around events')
  })

  it('that cannot be are marked and not sent', async () => {
    visit(path(1))
    const hours = await screen.findByLabelText('Keep at the site, in hours')
    await userEvent.clear(hours)
    await userEvent.type(hours, '0')
    expect(hours).toBeInvalid()
    expect(screen.getByRole('button', { name: 'Save' })).toHaveAccessibleDescription(
      'Correct what is marked first.',
    )
  })

  it('are shown to those who may not change them, with the reason', async () => {
    visit(path(1), { as: 'operator' })
    const name = await screen.findByLabelText('Name')
    await userEvent.type(name, 'x')
    expect(name).toHaveValue('Gate 1, entry lane')
    expect(name).toHaveAccessibleDescription('Your role may watch this camera but not change it.')
    const save = screen.getByRole('button', { name: 'Save' })
    expect(save).toHaveAttribute('aria-disabled', 'true')
    await expectAccessible()
  })

  it('of a camera one may not see do not exist', async () => {
    visit(path(8), { as: 'operator' })
    expect(await screen.findByText('There is nothing here')).toBeVisible()
  })

  it.each(['en', 'ar'] as const)('are accessible (%s)', async (language) => {
    visit(path(1), { language })
    await screen.findByRole('heading', { level: 1 })
    await expectAccessible()
  })
})
