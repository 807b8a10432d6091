import { useQuery } from '@tanstack/react-query'
import { canSome } from '@/access/can'
import type { Agency, Group, Name, Role, User } from '@/api/model'
import { agenciesQuery, camerasQuery, groupsQuery, rolesQuery, sessionQuery } from '@/api/queries'
import { useLanguage } from '@/i18n/use-text'

const NONE: never[] = []

/** Agencies, roles and groups as far as one may see them, and what things are called. */
export function useDirectory() {
  const language = useLanguage()
  const { data: me } = useQuery(sessionQuery)
  const mayGroups = canSome(me, 'group', 'view')
  const agencies: readonly Agency[] =
    useQuery({ ...agenciesQuery, enabled: canSome(me, 'agency', 'view') }).data ?? NONE
  const roles: readonly Role[] = useQuery({ ...rolesQuery, enabled: mayGroups }).data ?? NONE
  const groups: readonly Group[] = useQuery({ ...groupsQuery, enabled: mayGroups }).data ?? NONE
  const cameras = useQuery(camerasQuery).data?.value ?? NONE
  const called = (name: Name | undefined) => name?.[language]
  return {
    agencies,
    roles,
    groups,
    cameras,
    nameOf: (name: Name) => name[language],
    personName: (user: Pick<User, 'display_name' | 'arabic_name'>) =>
      (language === 'ar' ? user.arabic_name : undefined) ?? user.display_name,
    agencyName: (code: string) => called(agencies.find((one) => one.code === code)?.name) ?? code,
    roleName: (code: string) => called(roles.find((one) => one.code === code)?.name) ?? code,
    cameraName: (id: string) => cameras.find((one) => one.id === id)?.name ?? id,
    agencyOfCamera: (id: string) => cameras.find((one) => one.id === id)?.agency,
    /** Codes to choose from, with one that is chosen already even if it cannot be seen. */
    agencyCodes: (chosen: string) => [
      ...new Set([
        ...agencies.map((one) => one.code),
        ...(me?.agency ? [me.agency] : []),
        ...(chosen ? [chosen] : []),
      ]),
    ],
  }
}

export type Directory = ReturnType<typeof useDirectory>
