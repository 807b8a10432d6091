import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, RouterProvider } from 'react-router'
import { createQueryClient } from '@/api/query-client'
import { applyLanguage } from '@/i18n/direction'
import { usePreferences } from '@/stores/preferences'
import { routes } from './routes'
import '@/styles/fonts'
import '@/styles/index.css'

async function start(): Promise<void> {
  if (import.meta.env.MODE === 'mock') {
    const { startMockApi } = await import('@mock/browser')
    await startMockApi()
  }
  const { language, theme } = usePreferences.getState()
  applyLanguage(language, document.documentElement)
  document.documentElement.dataset.theme = theme
  const root = document.getElementById('root')
  if (!root) throw new Error('index.html has no element with the id "root"')
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={createQueryClient()}>
        <RouterProvider router={createBrowserRouter(routes)} />
      </QueryClientProvider>
    </StrictMode>,
  )
}

void start()
