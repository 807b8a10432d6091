import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import type { SignInMethods } from '@/api/model'
import { expectAccessible, visit } from '../../testing/page'
import { server } from '../../testing/server'

const signIn = async (login: string, password: string) => {
  const user = userEvent.setup()
  await user.type(await screen.findByLabelText('User name'), login)
  await user.type(screen.getByLabelText('Password'), password)
  await user.click(screen.getByRole('button', { name: 'Sign in' }))
}

describe('signing in', () => {
  it('leads back to where one wanted to go', async () => {
    const { router } = visit('/agents', { as: null })
    await signIn('admin', 'secret')
    expect(await screen.findByRole('heading', { name: 'Agents' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/agents')
  })

  it('never leads out of the interface', async () => {
    const { router } = visit('/sign-in', { as: null })
    await router.navigate('/sign-in', { state: { from: '//evil.example/' } })
    await signIn('admin', 'secret')
    expect(await screen.findByRole('heading', { name: 'Cameras' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/')
  })

  it('says why it was refused, and forgets the password', async () => {
    visit('/sign-in', { as: null })
    await signIn('admin', 'wrong')
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'The login or the password is wrong.',
    )
    expect(screen.getByLabelText('Password')).toHaveValue('')
    expect(screen.getByLabelText('User name')).toHaveValue('admin')
  })

  it('says so in Arabic', async () => {
    visit('/sign-in', { as: null, language: 'ar' })
    const user = userEvent.setup()
    await user.type(await screen.findByLabelText('اسم المستخدم'), 'locked')
    await user.type(screen.getByLabelText('كلمة المرور'), 'x')
    await user.click(screen.getByRole('button', { name: 'تسجيل الدخول' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('محاولات كثيرة جدًا')
  })

  it('is for those who are not signed in', async () => {
    const { router } = visit('/sign-in')
    await waitFor(() => expect(router.state.location.pathname).toBe('/'))
  })

  it('asks for a code where there is a second factor', async () => {
    visit('/agents', { as: null })
    await signIn('factor', 'secret')
    const user = userEvent.setup()
    const code = await screen.findByLabelText('Code of the authenticator app')
    expect(code).toHaveAccessibleDescription('Six digits, or a recovery code.')
    await user.type(code, '000000')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('The code is wrong or was used')
    expect(code).toHaveValue('')
    await expectAccessible()
    await user.type(code, 'abcd-efgh-ijkl-mnop')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('heading', { name: 'Agents' })).toBeVisible()
  })

  it('begins again when the code comes too late, or when one wants to', async () => {
    visit('/sign-in', { as: null })
    const user = userEvent.setup()
    await signIn('factor', 'secret')
    await user.type(await screen.findByLabelText('Code of the authenticator app'), 'expired')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('took too long; begin again')
    await user.type(screen.getByLabelText('Password'), 'secret')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    await screen.findByLabelText('Code of the authenticator app')
    await user.click(screen.getByRole('button', { name: 'Begin again' }))
    expect(screen.getByLabelText('User name')).toHaveValue('factor')
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    visit('/sign-in', { as: null, language })
    await screen.findByRole('heading', { level: 1 })
    expect(document.documentElement.dir).toBe(language === 'ar' ? 'rtl' : 'ltr')
    await expectAccessible()
  })
})

describe('signing in at the identity provider', () => {
  const offer = (
    password: SignInMethods['password'],
    oidc: Partial<SignInMethods['oidc']> = {},
  ) => {
    const provider = {
      name: { en: 'RTA Identity', ar: 'هوية الهيئة' },
      start_url: '/api/v1/session/oidc/start',
      state: 'reachable',
    }
    server.use(
      http.get('/api/v1/session/methods', () =>
        HttpResponse.json({ password, oidc: { ...provider, ...oidc } }),
      ),
    )
  }

  it('leads there and back to where one wanted to go', async () => {
    offer({ for_everybody: true })
    visit('/agents?q=a', { as: null })
    expect(await screen.findByRole('link', { name: 'Sign in with RTA Identity' })).toHaveAttribute(
      'href',
      '/api/v1/session/oidc/start?next=%2Fagents%3Fq%3Da',
    )
    expect(screen.getByLabelText('Password')).toBeVisible()
  })

  it('shows no form before it is known whether there is one', async () => {
    let answer: () => void = () => undefined
    const asked = new Promise<void>((resolve) => (answer = resolve))
    offer({ for_everybody: false })
    server.use(http.get('/api/v1/session/methods', () => asked))
    visit('/sign-in', { as: null })
    expect(await screen.findByText('Loading…')).toBeInTheDocument()
    expect(screen.queryByLabelText('Password')).toBeNull()
    answer()
    await screen.findByRole('link', { name: 'Sign in with RTA Identity' })
    expect(screen.queryByLabelText('Password')).toBeNull()
  })

  it('offers the form when nobody says how one may sign in', async () => {
    server.use(http.get('/api/v1/session/methods', () => HttpResponse.error()))
    visit('/sign-in', { as: null })
    expect(await screen.findByLabelText('Password')).toBeVisible()
  })

  it('keeps the form out of the way where few may use it', async () => {
    offer({ for_everybody: false })
    visit('/sign-in', { as: null })
    await screen.findByRole('link', { name: 'Sign in with RTA Identity' })
    expect(screen.queryByLabelText('Password')).toBeNull()
    await userEvent.click(screen.getByRole('button', { name: 'Use an account of this system' }))
    expect(screen.getByLabelText('Password')).toBeVisible()
  })

  it('says that it does not answer, and shows the form', async () => {
    offer(
      { for_everybody: false },
      { state: 'unreachable', unreachable_since: '2026-11-23T09:00:00.000Z' },
    )
    visit('/sign-in', { as: null })
    expect(
      await screen.findByText(/RTA Identity has not answered since 23 Nov 2026, 13:00:00\./),
    ).toBeVisible()
    expect(screen.getByLabelText('Password')).toBeVisible()
  })

  it('says why it led back', async () => {
    offer({ for_everybody: true })
    visit('/sign-in?error=not_admitted', { as: null })
    expect(await screen.findByRole('alert')).toHaveTextContent('you may not sign in here')
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    offer({ for_everybody: false }, { state: 'unreachable' })
    visit('/sign-in?error=not_admitted', { as: null, language })
    await screen.findByRole('alert')
    await screen.findByRole('link', { name: /RTA Identity|هوية الهيئة/ })
    await expectAccessible()
  })
})

describe('signing out', () => {
  it('leaves nothing of the person behind', async () => {
    const { client, router } = visit('/')
    await userEvent.click(await screen.findByRole('button', { name: 'Sign out' }))
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeVisible()
    expect(router.state.location.pathname).toBe('/sign-in')
    expect(client.getQueryCache().findAll({ queryKey: ['cameras'] })).toEqual([])
  })
})
