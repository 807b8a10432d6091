/** The table of contents. */
import type { RouteObject } from 'react-router'
import { AdminLayout, AdminStart } from '@/layouts/AdminLayout'
import { RootLayout } from '@/layouts/RootLayout'
import { SignedInLayout } from '@/layouts/SignedInLayout'
import { AgenciesPage } from '@/pages/admin/AgenciesPage'
import { AuditPage } from '@/pages/admin/AuditPage'
import { GroupPage } from '@/pages/admin/GroupPage'
import { GroupsPage } from '@/pages/admin/GroupsPage'
import { NewGroupPage } from '@/pages/admin/NewGroupPage'
import { NewPersonPage } from '@/pages/admin/NewPersonPage'
import { NewRolePage } from '@/pages/admin/NewRolePage'
import { PeoplePage } from '@/pages/admin/PeoplePage'
import { PersonPage } from '@/pages/admin/PersonPage'
import { RolePage } from '@/pages/admin/RolePage'
import { RolesPage } from '@/pages/admin/RolesPage'
import { AgentsPage } from '@/pages/AgentsPage'
import { BrokenPage } from '@/pages/BrokenPage'
import { CameraSettingsPage } from '@/pages/CameraSettingsPage'
import { NotFoundPage } from '@/pages/NotFoundPage'
import { ProfilePage } from '@/pages/ProfilePage'
import { SignInPage } from '@/pages/SignInPage'
import { SitesPage } from '@/pages/SitesPage'
import { TokensPage } from '@/pages/TokensPage'

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
          {
            path: '/wall',
            lazy: async () => ({ Component: (await import('@/pages/WallPage')).WallPage }),
          },
          { path: '/agents', element: <AgentsPage /> },
          { path: '/profile', element: <ProfilePage /> },
          { path: '/tokens', element: <TokensPage /> },
          {
            path: '/admin',
            element: <AdminLayout />,
            children: [
              { index: true, element: <AdminStart /> },
              { path: 'people', element: <PeoplePage /> },
              { path: 'people/new', element: <NewPersonPage /> },
              { path: 'people/:id', element: <PersonPage /> },
              { path: 'groups', element: <GroupsPage /> },
              { path: 'groups/new', element: <NewGroupPage /> },
              { path: 'groups/:id', element: <GroupPage /> },
              { path: 'roles', element: <RolesPage /> },
              { path: 'new-role', element: <NewRolePage /> },
              { path: 'roles/:code', element: <RolePage /> },
              { path: 'agencies', element: <AgenciesPage /> },
              { path: 'audit', element: <AuditPage /> },
            ],
          },
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
