import { expect, test } from './fixtures'
import { stand } from './stand'

test('every camera is there, and live by the age of its picture', async ({ page, centre }) => {
  await page.goto('/')
  const camera = await centre.camera(stand.camera)
  const row = page.getByRole('row', { name: new RegExp(stand.camera) })
  await expect(page.getByRole('table', { name: camera.site_name })).toBeVisible()
  await expect(row.getByText('Live', { exact: true })).toBeVisible({
    timeout: 30_000,
  })
  await expect(row).toContainText(/\d+s ago/)
  await expect(row.getByRole('img', { name: /recorded/ })).toBeVisible()
})

test('the agents say how they are', async ({ page }) => {
  await page.goto('/agents')
  const agent = page.getByRole('article').first()
  await expect(agent.getByText('Connected', { exact: true })).toBeVisible()
  await expect(agent).toContainText(/free of/)
})

test('an invitation is a code and a picture of it', async ({ page }) => {
  await page.goto('/agents')
  await page.getByRole('button', { name: 'Invite an agent' }).click()
  const dialog = page.getByRole('dialog', { name: 'Invite an agent' })
  await dialog.getByLabel('Site').fill('A site for the test')
  await dialog.getByRole('button', { name: 'Make the code' }).click()
  await expect(dialog.getByText(/cctv-agent enroll cctv1:/)).toBeVisible()
  const picture = dialog.getByRole('img', { name: /QR code/ })
  await expect(picture).toHaveJSProperty('complete', true)
  expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0)
})

test('what does not exist is said not to', async ({ page }) => {
  test.info().annotations.push({ type: 'input', description: 'an id that nothing has' })
  await page.goto('/nowhere')
  await expect(page.getByText('There is nothing here')).toBeVisible()
})
