/** What every spec stands on: somebody signed in, the API beside the page, and no error unseen. */
import { test as base, expect, request, type BrowserContext, type Page } from '@playwright/test'
import { Centre } from './centre'
import { stand } from './stand'

type Shared = { signedIn: Awaited<ReturnType<BrowserContext['storageState']>> }
type Own = {
  centre: Centre
  /** Errors in the console that a spec causes on purpose. */
  expectedErrors: RegExp[]
  visitor: Page
}

/** Chromium logs a refused request as an error of the page. */
const watch = (page: Page, errors: string[]) => {
  page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`)
  })
}

export const test = base.extend<Own, Shared>({
  signedIn: [
    async ({}, use) => {
      const api = await request.newContext({ baseURL: stand.url })
      const answer = await api.post('/api/v1/session', {
        headers: { 'X-Requested-With': 'cctv' },
        data: { login: stand.login, password: stand.password },
      })
      expect(answer.status(), 'signing in').toBe(200)
      const state = await api.storageState()
      await api.dispose()
      await use(state)
    },
    { scope: 'worker' },
  ],
  storageState: async ({ signedIn }, use) => use(signedIn),
  expectedErrors: [[], { option: true }],
  page: async ({ page, expectedErrors }, use) => {
    const errors: string[] = []
    watch(page, errors)
    await use(page)
    const unexpected = errors.filter((error) => !expectedErrors.some((known) => known.test(error)))
    expect(unexpected, 'errors in the console').toEqual([])
  },
  centre: async ({ page }, use) => use(new Centre(page.request)),
  /** A page of nobody in particular. */
  visitor: async ({ browser, expectedErrors }, use) => {
    const context = await browser.newContext({
      storageState: { cookies: [], origins: [] },
    })
    const page = await context.newPage()
    const errors: string[] = []
    watch(page, errors)
    await use(page)
    await context.close()
    const unexpected = errors.filter((error) => !expectedErrors.some((known) => known.test(error)))
    expect(unexpected, 'errors in the console').toEqual([])
  },
})

export { expect }
