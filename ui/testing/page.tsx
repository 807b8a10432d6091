import { QueryClientProvider } from '@tanstack/react-query'
import { render } from '@testing-library/react'
import axe from 'axe-core'
import type { ReactElement } from 'react'
import { createMemoryRouter, MemoryRouter, RouterProvider } from 'react-router'
import { expect } from 'vitest'
import { createQueryClient } from '@/api/query-client'
import type { Language } from '@/i18n/direction'
import { LanguageProvider } from '@/i18n/LanguageProvider'
import { routes } from '@/routes'
import { usePreferences } from '@/stores/preferences'

type Visit = Readonly<{
  language?: Language
  /** Who is signed in; nobody for `null`. */
  as?: 'admin' | 'operator' | null
}>

/** Opens an address of the interface. */
export function visit(path: string, { language = 'en', as = 'admin' }: Visit = {}) {
  if (as) localStorage.setItem('mockSignedIn', as)
  usePreferences.setState({ language })
  const router = createMemoryRouter(routes, { initialEntries: [path] })
  const client = createQueryClient()
  const view = render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  return { ...view, router, client }
}

/** Shows one component, with texts, a cache and a router around it. */
export function show(element: ReactElement, language: Language = 'en') {
  return render(
    <QueryClientProvider client={createQueryClient()}>
      <LanguageProvider language={language}>
        <MemoryRouter>{element}</MemoryRouter>
      </LanguageProvider>
    </QueryClientProvider>,
  )
}

/** No rule of WCAG 2.2 AA that can be judged without layout is broken. Contrast is judged in the browser tests. */
export async function expectAccessible(element: Element = document.body): Promise<void> {
  const { violations } = await axe.run(element, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    rules: { 'color-contrast': { enabled: false }, region: { enabled: element === document.body } },
  })
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`,
  )
  expect(found).toEqual([])
}
