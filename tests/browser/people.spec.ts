import type { Page } from '@playwright/test'
import { TOTP } from 'otpauth'
import { expect, test } from './fixtures'
import { prefer } from './looks'
import { untilPlaying } from './pictures'
import { stand } from './stand'
import { textsOf, type Language } from './texts'

const AGENCY = 'METRO'
const PASSWORD = 'platform edge at dawn'
const SECOND = 1000

// Chromium reports refusals: nobody is signed in yet or any more, and what was being played ends with
// the session that it was prepared in.
test.use({ expectedErrors: [/status of 401|status of 404.*\/segments\//] })

test.beforeEach(async ({ centre }) => {
  for (const name of stand.agencyCameras) {
    const { id, agency } = await centre.camera(name)
    if (agency !== AGENCY) await centre.change(id, { agency: AGENCY })
  }
})

const LANGUAGES: readonly Language[] = ['en', 'ar']

/** Logins, names and groups of their own for every language, as nobody is ever deleted. */
const unique = (what: string, language: Language) => `${what}-${language}-${Date.now()}`

for (const language of LANGUAGES) {
  const text = textsOf(language)
  const button = (page: Page, key: string) =>
    page.getByRole('button', { name: text(key), exact: true })
  const field = (page: Page, key: string) => page.getByLabel(text(key), { exact: true })

  const signIn = async (page: Page, login: string) => {
    await field(page, 'session.login').fill(login)
    await field(page, 'session.password').fill(PASSWORD)
    await button(page, 'session.signIn').click()
  }
  const giveCode = async (page: Page, code: string) => {
    await field(page, 'session.code').fill(code)
    await button(page, 'session.signIn').click()
  }

  test(`a person sees the cameras of their group until they are disabled (${language})`, async ({
    page,
    visitor,
    centre,
  }) => {
    await prefer(page, { language, theme: 'dark' })
    await prefer(visitor, { language, theme: 'dark' })
    const login = unique('layla', language)
    const group = unique('Platforms', language)
    await centre.createGroup({
      name: { en: group, ar: group },
      agency: AGENCY,
      roles: ['operator'],
      permissions: [],
    })

    await page.goto('/admin/people')
    await button(page, 'people.new').click()
    await field(page, 'people.field.login').fill(login)
    await field(page, 'people.field.displayName').fill(login)
    await field(page, 'people.field.arabicName').fill('ليلى حسن')
    await field(page, 'people.field.agency').selectOption(AGENCY)
    await field(page, 'people.password.new').fill(PASSWORD)
    await field(page, 'people.password.repeat').fill(PASSWORD)
    await button(page, 'people.create').click()
    const name = language === 'ar' ? 'ليلى حسن' : login
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()

    await visitor.goto('/')
    await signIn(visitor, login)
    await expect(visitor.getByText(text('cameras.noneForYou.title'))).toBeVisible()

    // What is given is seen at once, without a reload.
    await field(page, 'people.groups.choose').selectOption({ label: group })
    await page
      .getByRole('region', { name: text('people.groups.title'), exact: true })
      .getByRole('button', { name: text('people.groups.add'), exact: true })
      .click()
    for (const camera of stand.agencyCameras) {
      await expect(visitor.getByRole('link', { name: camera })).toBeVisible()
    }
    await expect(visitor.getByRole('table').getByRole('link')).toHaveCount(
      stand.agencyCameras.length,
    )
    const foreign = await centre.camera(stand.camera)
    expect((await visitor.request.get(`/api/v1/cameras/${foreign.id}`)).status()).toBe(404)

    await button(page, 'people.disable.open').click()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: text('people.disable.action'), exact: true })
      .click()
    await expect(page.getByText(text('people.disable.done', { name }))).toBeVisible()
    const disabled = Date.now()
    await expect(visitor.getByText(text('session.ended'))).toBeVisible()
    expect(Date.now() - disabled, 'ms until the page ended').toBeLessThan(4 * SECOND)
    await signIn(visitor, login)
    await expect(visitor.getByRole('alert')).toBeVisible()
  })

  test(`sign in, second factor, watch a camera, sign out (${language})`, async ({
    visitor,
    centre,
  }) => {
    await prefer(visitor, { language, theme: 'dark' })
    const login = unique('omar', language)
    await centre.createUser({
      login,
      display_name: login,
      agency: AGENCY,
      roles: ['operator'],
      password: PASSWORD,
    })
    const camera = await centre.camera(stand.agencyCameras[0])
    await centre.footage(camera.id, 10)

    await visitor.goto('/profile')
    await signIn(visitor, login)
    await button(visitor, 'account.factor.setUp').click()
    const secret = await visitor.getByRole('dialog').locator('output').innerText()
    const app = new TOTP({ secret })
    const now = Date.now()
    await field(visitor, 'account.factor.code').fill(app.generate({ timestamp: now }))
    await button(visitor, 'account.factor.confirm').click()
    const shown = visitor
      .getByRole('list', { name: text('account.codes.title') })
      .getByRole('listitem')
    await expect(shown).toHaveCount(10)
    const [recovery = ''] = await shown.allInnerTexts()
    await button(visitor, 'account.codes.kept').click()
    await button(visitor, 'session.signOut').click()

    await signIn(visitor, login)
    // A code counts once, and the app shows one early to a clock that is late.
    await giveCode(visitor, app.generate({ timestamp: now + 30 * SECOND }))
    await visitor.getByRole('link', { name: text('common.nav.cameras'), exact: true }).click()
    await visitor.getByRole('link', { name: camera.name }).click()
    await untilPlaying(visitor)
    await button(visitor, 'session.signOut').click()
    await expect(field(visitor, 'session.login')).toBeVisible()

    await signIn(visitor, login)
    await giveCode(visitor, recovery)
    await button(visitor, 'session.signOut').click()
    await signIn(visitor, login)
    await giveCode(visitor, recovery)
    await expect(visitor.getByRole('alert')).toBeVisible()
  })
}
