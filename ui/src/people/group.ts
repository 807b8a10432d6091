/** Groups, roles and agencies, from what is typed to what is sent. Pure. */
import type { Agency, Group, Name, Role } from '@/api/model'
import type { MessageId } from '@/i18n/messages'

type NameDraft = Readonly<{ name_en: string; name_ar: string }>

export type GroupDraft = NameDraft &
  Readonly<{ agency: string; roles: readonly string[]; permissions: readonly string[] }>
export type RoleDraft = NameDraft & Readonly<{ permissions: readonly string[] }>
export type AgencyDraft = NameDraft

export const NAME_LABELS = {
  name_en: 'groups.field.nameEn',
  name_ar: 'groups.field.nameAr',
} as const satisfies Record<keyof NameDraft, MessageId>

export const ROLE_LABELS = {
  ...NAME_LABELS,
  permissions: 'groups.field.permissions',
} as const satisfies Record<keyof RoleDraft, MessageId>

export const GROUP_LABELS = {
  ...ROLE_LABELS,
  agency: 'people.field.agency',
  roles: 'people.field.roles',
} as const satisfies Record<keyof GroupDraft, MessageId>

export const EMPTY_GROUP: GroupDraft = {
  name_en: '',
  name_ar: '',
  agency: '',
  roles: [],
  permissions: [],
}

const nameDraft = ({ name }: Readonly<{ name: Name }>): NameDraft => ({
  name_en: name.en,
  name_ar: name.ar,
})

export const groupDraft = (group: Group): GroupDraft => ({
  ...nameDraft(group),
  agency: group.agency ?? '',
  roles: [...group.roles].sort(),
  permissions: [...group.permissions].sort(),
})

export const roleDraft = (role: Role): RoleDraft => ({
  ...nameDraft(role),
  permissions: [...role.permissions].sort(),
})

export const agencyDraft = (agency: Agency): AgencyDraft => nameDraft(agency)

export const nameOfDraft = ({ name_en, name_ar }: NameDraft): Name => ({
  en: name_en.trim(),
  ar: name_ar.trim(),
})

export const groupSettings = (draft: GroupDraft) => ({
  name: nameOfDraft(draft),
  ...(draft.agency ? { agency: draft.agency } : {}),
  roles: [...draft.roles],
  permissions: [...draft.permissions],
})

type NameProblems = Partial<Record<keyof NameDraft, MessageId>>

/** Everything has a name in both languages, because both are shown. */
export function nameProblems(draft: NameDraft): NameProblems {
  const problems: NameProblems = {}
  if (draft.name_en.trim() === '') problems.name_en = 'groups.problem.name'
  if (draft.name_ar.trim() === '') problems.name_ar = 'groups.problem.name'
  return problems
}

export const isRoleCode = (code: string): boolean => /^[a-z][a-z0-9_]{0,31}$/.test(code)
export const isAgencyCode = (code: string): boolean => /^[A-Z0-9_]{1,32}$/.test(code)
