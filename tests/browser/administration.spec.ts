import { expect, test } from './fixtures'
import { expectAccessible, expectDirection, keepPicture, prefer, type Look } from './looks'
import { textsOf } from './texts'

const LOOKS: readonly (Look & Readonly<{ width: number }>)[] = [
  { language: 'en', theme: 'light', width: 1440 },
  { language: 'ar', theme: 'dark', width: 360 },
]

for (const { width, ...look } of LOOKS) {
  const { language, theme } = look
  const text = textsOf(language)

  test(`administration in ${language}, ${theme}, ${width} px wide`, async ({ page, centre }) => {
    await page.setViewportSize({ width, height: 900 })
    await prefer(page, look)
    const user = await centre.createUser({
      login: `page-${language}-${Date.now()}`,
      display_name: 'Somebody on a page',
      agency: 'METRO',
      roles: ['operator'],
      permissions: ['!camera:METRO:export'],
    })
    const pages = {
      people: '/admin/people',
      person: `/admin/people/${user.id}`,
      'new-person': '/admin/people/new',
      groups: '/admin/groups',
      roles: '/admin/roles',
      role: '/admin/roles/operator',
      agencies: '/admin/agencies',
      audit: '/admin/audit',
      profile: '/profile',
      tokens: '/tokens',
    }
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(path)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      // Nothing is still on its way.
      await expect(page.getByText(text('common.loading'))).toHaveCount(0)
      await expectDirection(page, look)
      await expectAccessible(page)
      await keepPicture(page, `${name}-${language}-${theme}-${width}`)
    }
  })
}

test('the audit shows what was just done, and is taken out as files', async ({ page }) => {
  await page.goto('/admin/audit?what=audit')
  await expect(page.getByText('The chain is whole')).toBeVisible()
  const newest = page.getByRole('row').nth(1)
  await expect(newest).toContainText('Administrator')
  await newest.getByRole('button').click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('127.0.0.1')
  await dialog.getByRole('button', { name: 'Close' }).click()
  for (const [name, begin] of [
    ['As CSV', /^\uFEFFnumber,/],
    ['As JSON lines', /^\{/],
  ] as const) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name }).click(),
    ])
    const stream = await download.createReadStream()
    let body = ''
    for await (const part of stream) body += String(part)
    expect(body).toMatch(begin)
  }
})
