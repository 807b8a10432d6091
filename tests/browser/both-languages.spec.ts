import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { expectAccessible, expectDirection, keepPicture, prefer, type Look } from './looks'
import { untilPlaying } from './pictures'
import { stand } from './stand'

/** In CSS pixels: a desk, a tablet, a telephone. */
type Looks = Look & Readonly<{ widths: readonly number[] }>

const LOOKS: readonly Looks[] = [
  { language: 'en', theme: 'dark', widths: [1440, 390] },
  { language: 'ar', theme: 'dark', widths: [1440, 900, 360] },
  { language: 'ar', theme: 'light', widths: [1440] },
]

for (const look of LOOKS) {
  const { language, theme, widths } = look
  for (const width of widths) {
    test(`pages in ${language}, ${theme}, ${width} px wide`, async ({ page, centre }) => {
      await page.setViewportSize({ width, height: 900 })
      await prefer(page, look)
      const { id } = await centre.camera(stand.camera)
      await centre.footage(id, 10)
      const pages = {
        sites: '/',
        settings: `/cameras/${id}/settings`,
        agents: '/agents',
      }
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(path)
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
        await expect(
          page
            .getByRole('table')
            .or(page.getByRole('textbox'))
            .or(page.getByRole('article'))
            .first(),
        ).toBeVisible()
        await expectDirection(page, look)
        await expectAccessible(page)
        await keepPicture(page, `${name}-${language}-${theme}-${width}`)
      }
      await page.goto(`/cameras/${id}`)
      await untilPlaying(page)
      await expectDirection(page, look)
      await expect(page.getByRole('slider')).toHaveCSS('direction', 'ltr')
      await expectAccessible(page)
      await keepPicture(page, `camera-${language}-${theme}-${width}`)
    })
  }
}

test.describe('somebody who reads Arabic', () => {
  // Chromium reports that nobody is signed in yet.
  test.use({ expectedErrors: [/status of 401/] })

  test('switches the language once, and finds it on the next machine', async ({
    visitor,
    browser,
    centre,
  }) => {
    const password = 'platform edge at dawn'
    const { login } = await centre.createUser({
      login: `reader-${Date.now()}`,
      display_name: 'Reader',
      roles: ['operator'],
      password,
    })
    const signIn = async (page: Page) => {
      await page.goto('/')
      await page.getByLabel('User name').fill(login)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      // The sign-in page has the switch as well, and nobody there whose language it were.
      await expect(page.getByRole('button', { name: /Sign out|تسجيل الخروج/ })).toBeVisible()
    }
    await signIn(visitor)
    const html = visitor.locator('html')
    const kept = visitor.waitForResponse((answer) => answer.request().method() === 'PUT')
    await visitor.getByRole('button', { name: 'العربية' }).click()
    await expect(html).toHaveAttribute('dir', 'rtl')
    await expect(visitor.getByRole('heading', { level: 1 })).toHaveText('الكاميرات')
    expect((await kept).status()).toBe(200)
    await visitor.reload()
    await expect(html).toHaveAttribute('dir', 'rtl')

    const elsewhere = await browser.newContext({ storageState: { cookies: [], origins: [] } })
    const page = await elsewhere.newPage()
    await signIn(page)
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
    await page.getByRole('button', { name: 'English' }).click()
    await expect(page.locator('html')).toHaveAttribute('dir', 'ltr')
    await elsewhere.close()
  })
})
