import { expect, test } from './fixtures'
import { expectAccessible, prefer } from './looks'
import { stand } from './stand'
import { textsOf, type Language } from './texts'

const LANGUAGES: readonly Language[] = ['en', 'ar']
const PROVIDER = { en: 'Authority', ar: 'الهيئة' } as const

// Chromium reports that nobody is signed in yet.
test.use({ expectedErrors: [/status of 401/] })

for (const language of LANGUAGES) {
  const text = textsOf(language)

  test(`sign in at the identity provider, and out again (${language})`, async ({
    visitor,
    request,
  }) => {
    await prefer(visitor, { language, theme: 'dark' })
    // The provider's own pages would fetch a typeface from the internet.
    await visitor.route(/googleapis/, (route) => route.fulfill({ contentType: 'text/css' }))
    const subject = `mona-${language}`
    const told = await request.put(`${stand.issuer}/test/accounts`, {
      data: { [subject]: { preferred_username: subject, name: 'Mona Salem' } },
    })
    expect(told.status()).toBe(200)

    await visitor.goto(`${stand.signOnUrl}/profile`)
    const way = visitor.getByRole('link', {
      name: text('session.provider.signIn', { name: PROVIDER[language] }),
    })
    await expect(way).toBeVisible()
    // The form is for the day on which the provider is gone.
    await expect(visitor.getByLabel(text('session.password'), { exact: true })).toHaveCount(0)
    await expectAccessible(visitor)
    await way.click()
    await visitor.locator('[name=login]').fill(subject)
    await visitor.locator('[name=password]').fill('whatever the provider takes')
    await visitor.locator('[type=submit]').click()
    // It asks whether the pages may know who one is.
    await visitor.locator('[type=submit]').click()

    await expect(visitor).toHaveURL(`${stand.signOnUrl}/profile`)
    const own = text('profile.link', { name: 'Mona Salem' })
    await expect(visitor.getByRole('link', { name: own })).toBeVisible()
    await visitor.getByRole('button', { name: text('session.signOut'), exact: true }).click()
    await expect(way).toBeVisible()
    const session = await visitor.request.get(`${stand.signOnUrl}/api/v1/session`)
    expect(session.status()).toBe(401)
  })
}
