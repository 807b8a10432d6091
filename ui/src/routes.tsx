/** The table of contents. */
import type { RouteObject } from 'react-router'
import { RootLayout } from '@/layouts/RootLayout'
import { SignedInLayout } from '@/layouts/SignedInLayout'
import { AgentsPage } from '@/pages/AgentsPage'
import { BrokenPage } from '@/pages/BrokenPage'
import { CameraSettingsPage } from '@/pages/CameraSettingsPage'
import { NotFoundPage } from '@/pages/NotFoundPage'
import { SignInPage } from '@/pages/SignInPage'
import { SitesPage } from '@/pages/SitesPage'

export const routes: RouteObject[] = [
  {
    element: <RootLayout />,
    errorElement: <BrokenPage />,
    HydrateFallback: Nothing,
    children: [
      { path: '/sign-in', element: <SignInPage /> },
      {
        element: <SignedInLayout />,
        children: [
          { path: '/', element: <SitesPage /> },
          {
            path: '/cameras/:id',
            // The player is most of the code, and only this page needs it.
            lazy: async () => ({ Component: (await import('@/pages/CameraPage')).CameraPage }),
          },
          { path: '/cameras/:id/settings', element: <CameraSettingsPage /> },
          { path: '/agents', element: <AgentsPage /> },
          { path: '*', element: <NotFoundPage /> },
        ],
      },
    ],
  },
]

/** While the first page's code is fetched the background is all there is to see. */
function Nothing() {
  return null
}
