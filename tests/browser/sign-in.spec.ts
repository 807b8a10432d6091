import { expect, test } from './fixtures'
import { stand } from './stand'

// Chromium reports the refusals that these specs are about.
test.use({ expectedErrors: [/status of 401/] })

test('a wrong password is refused in words, and the right one lets in', async ({ visitor }) => {
  await visitor.goto('/agents')
  await expect(visitor.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  await visitor.getByLabel('User name').fill(stand.login)
  await visitor.getByLabel('Password').fill('not the password')
  await visitor.getByRole('button', { name: 'Sign in' }).click()
  await expect(visitor.getByRole('alert')).toHaveText('The login or the password is wrong.')
  await visitor.getByLabel('Password').fill(stand.password)
  await visitor.getByRole('button', { name: 'Sign in' }).click()
  await expect(visitor.getByRole('heading', { name: 'Agents' })).toBeVisible()
})

test('signing out ends the session, not only the page', async ({ visitor }) => {
  await visitor.goto('/sign-in')
  await visitor.getByLabel('User name').fill(stand.login)
  await visitor.getByLabel('Password').fill(stand.password)
  await visitor.getByRole('button', { name: 'Sign in' }).click()
  await expect(visitor.getByRole('heading', { name: 'Cameras' })).toBeVisible()
  const session = (await visitor.context().cookies()).find(({ name }) => name === 'cctv_session')
  expect(session).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
  await visitor.getByRole('button', { name: 'Sign out' }).click()
  await expect(visitor.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  const answer = await visitor.request.get('/api/v1/session', {
    headers: { cookie: `cctv_session=${session?.value}` },
  })
  expect(answer.status()).toBe(401)
})
