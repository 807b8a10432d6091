import axe from 'axe-core'
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { untilPlaying } from './pictures'
import { stand } from './stand'

type Look = Readonly<{
  language: 'en' | 'ar'
  theme: 'dark' | 'light'
  /** In CSS pixels: a desk, a tablet, a telephone. */
  widths: readonly number[]
}>

const LOOKS: readonly Look[] = [
  { language: 'en', theme: 'dark', widths: [1440, 390] },
  { language: 'ar', theme: 'dark', widths: [1440, 900, 360] },
  { language: 'ar', theme: 'light', widths: [1440] },
]

const prefer = (page: Page, { language, theme }: Look) =>
  page.addInitScript(
    (state) => {
      localStorage.setItem('cctv.preferences', JSON.stringify({ state, version: 1 }))
    },
    { language, theme },
  )

/** WCAG 2.2 AA, contrast included. The picture's own pixels are nobody's to judge. */
async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(async () => {
    const engine = (globalThis as unknown as { axe: typeof axe }).axe
    const { violations } = await engine.run(
      { exclude: ['video'] },
      { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] },
    )
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`)
  })
  expect(found).toEqual([])
}

/** Turned the right way, nothing sticking out, and time still running from left to right. */
async function expectDirection(page: Page, { language }: Look): Promise<void> {
  const html = page.locator('html')
  await expect(html).toHaveAttribute('lang', language)
  await expect(html).toHaveAttribute('dir', language === 'ar' ? 'rtl' : 'ltr')
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(excess, 'pixels that stick out of the page').toBe(0)
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const info = test.info()
  const path = info.outputPath(`${name}.png`)
  await page.screenshot({ path })
  await info.attach(name, { path, contentType: 'image/png' })
}

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

test('the language is switched in the page and stays', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('button', { name: 'العربية' }).click()
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('الكاميرات')
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
  await page.getByRole('button', { name: 'English' }).click()
  await expect(page.locator('html')).toHaveAttribute('dir', 'ltr')
})
