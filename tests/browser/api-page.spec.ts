import { expect, test } from './fixtures'
import { stand } from './stand'

// The fixtures fail it for anything that our policy forbids: it does without inline scripts.
test('the page of the API tries operations with the session', async ({ page }) => {
  const elsewhere: string[] = []
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(stand.url) && !url.startsWith('data:')) elsewhere.push(url)
  })
  await page.goto('/api/docs/')
  const operation = page.locator('#operations-session-get_session')
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Try it out' }).click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  const answer = operation.locator('.live-responses-table tbody')
  await expect(answer.locator('.response-col_status').first()).toHaveText(/^200/)
  await expect(answer.first()).toContainText('"permissions"')
  await expect(page.getByRole('button', { name: 'Authorize' })).toBeVisible()
  expect(elsewhere).toEqual([])
})
