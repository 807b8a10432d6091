import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import { expectAccessible, visit } from '../../testing/page'
import { server } from '../../testing/server'

describe('the own account', () => {
  it('is behind the own name', async () => {
    const { router } = visit('/')
    await userEvent.click(await screen.findByRole('link', { name: 'Administrator: own account' }))
    expect(await screen.findByRole('heading', { name: 'Own account' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/profile')
  })

  it('says what one may do', async () => {
    visit('/profile')
    const may = await screen.findByRole('region', { name: 'What I may do' })
    expect(may).toHaveTextContent('All things')
  })

  it('changes its language', async () => {
    visit('/profile')
    await userEvent.selectOptions(await screen.findByLabelText('Language'), 'Arabic (العربية)')
    expect(await screen.findByRole('heading', { name: 'حسابي' })).toBeVisible()
    expect(document.documentElement.dir).toBe('rtl')
  })

  it('keeps the language with the account, for the next machine', async () => {
    const { unmount } = visit('/profile', { as: 'operator' })
    await userEvent.click(await screen.findByRole('button', { name: 'العربية' }))
    expect(await screen.findByRole('heading', { name: 'حسابي' })).toBeVisible()
    await waitFor(() => expect(localStorage.getItem('mockLanguage:operator')).toBe('ar'))
    unmount()

    visit('/sign-in', { as: null, language: 'en' })
    localStorage.removeItem('mockSignedIn')
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('User name'), 'operator')
    await user.type(screen.getByLabelText('Password'), 'secret')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('heading', { name: 'الكاميرات' })).toBeVisible()
  })

  it('says when the account does not keep the language, and turns the page all the same', async () => {
    server.use(http.put('/api/v1/iam/me', () => HttpResponse.error()))
    visit('/profile')
    await userEvent.selectOptions(await screen.findByLabelText('Language'), 'Arabic (العربية)')
    expect(await screen.findByText(/تعذّر حفظ اللغة مع حسابك/)).toBeVisible()
    expect(screen.getByRole('heading', { name: 'حسابي' })).toBeVisible()
  })

  it('changes its password with the old one, and signs in anew', async () => {
    visit('/profile')
    const user = userEvent.setup()
    const form = within(await screen.findByRole('region', { name: 'Password' }))
    const submit = () => user.click(form.getByRole('button', { name: 'Change the password' }))
    await submit()
    expect(form.getByLabelText('Present password')).toBeInvalid()
    await user.type(form.getByLabelText('Present password'), 'wrong')
    await user.type(form.getByLabelText('New password'), 'correct horse staple')
    await user.type(form.getByLabelText('New password once more'), 'correct horse staple')
    await submit()
    expect(await form.findByRole('alert')).toHaveTextContent('The old password is wrong.')
    expect(form.getByLabelText('New password')).toHaveValue('correct horse staple')
    await user.type(form.getByLabelText('Present password'), 'right')
    await submit()
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible()
    expect(screen.getByText(/Sign in with the new one/)).toBeVisible()
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    visit('/profile', { language })
    await screen.findByRole('region', { name: /What I may do|صلاحياتي/ })
    await expectAccessible()
  })
})
