/** How a page may look, and what must hold in every look. */
import axe from 'axe-core'
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'

export type Look = Readonly<{
  language: 'en' | 'ar'
  theme: 'dark' | 'light'
}>

export const prefer = (page: Page, { language, theme }: Look) =>
  page.addInitScript(
    (state) => {
      localStorage.setItem('cctv.preferences', JSON.stringify({ state, version: 1 }))
    },
    { language, theme },
  )

/** WCAG 2.2 AA, contrast included. The picture's own pixels are nobody's to judge. */
export async function expectAccessible(page: Page): Promise<void> {
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
export async function expectDirection(page: Page, { language }: Look): Promise<void> {
  const html = page.locator('html')
  await expect(html).toHaveAttribute('lang', language)
  await expect(html).toHaveAttribute('dir', language === 'ar' ? 'rtl' : 'ltr')
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(excess, 'pixels that stick out of the page').toBe(0)
}

export async function keepPicture(page: Page, name: string): Promise<void> {
  const info = test.info()
  const path = info.outputPath(`${name}.png`)
  await page.screenshot({ path })
  await info.attach(name, { path, contentType: 'image/png' })
}
