/** A person, from what is typed to what is sent. Pure. */
import type { NewUser, User, UserReplacement } from '@/api/model'
import type { MessageId } from '@/i18n/messages'

export type PersonDraft = Readonly<{
  login: string
  display_name: string
  arabic_name: string
  email: string
  employee_number: string
  agency: string
  department: string
  section: string
  roles: readonly string[]
  permissions: readonly string[]
}>

export const EMPTY: PersonDraft = {
  login: '',
  display_name: '',
  arabic_name: '',
  email: '',
  employee_number: '',
  agency: '',
  department: '',
  section: '',
  roles: [],
  permissions: [],
}

export const LABELS: Record<keyof PersonDraft, MessageId> = {
  login: 'people.field.login',
  display_name: 'people.field.displayName',
  arabic_name: 'people.field.arabicName',
  email: 'people.field.email',
  employee_number: 'people.field.employeeNumber',
  agency: 'people.field.agency',
  department: 'people.field.department',
  section: 'people.field.section',
  roles: 'people.field.roles',
  permissions: 'people.field.exceptions',
}

export const draftOf = (user: User): PersonDraft => ({
  login: user.login,
  display_name: user.display_name,
  arabic_name: user.arabic_name ?? '',
  email: user.email ?? '',
  employee_number: user.employee_number ?? '',
  agency: user.agency ?? '',
  department: user.department ?? '',
  section: user.section ?? '',
  roles: [...user.roles].sort(),
  permissions: [...user.permissions].sort(),
})

/** What is empty is left out. */
function settingsOf(draft: PersonDraft): NewUser {
  const optional = (name: keyof PersonDraft) => {
    const value = String(draft[name]).trim()
    return value === '' ? {} : { [name]: value }
  }
  return {
    login: draft.login.trim(),
    display_name: draft.display_name.trim(),
    ...optional('arabic_name'),
    ...optional('email'),
    ...optional('employee_number'),
    ...optional('agency'),
    ...optional('department'),
    ...optional('section'),
    roles: [...draft.roles],
    permissions: [...draft.permissions],
  }
}

export const replacementOf = (draft: PersonDraft, revision: number): UserReplacement => ({
  ...settingsOf(draft),
  revision,
})

export const newUserOf = (draft: PersonDraft, password: string): NewUser =>
  password === '' ? settingsOf(draft) : { ...settingsOf(draft), password }

export const SHORTEST_PASSWORD = 12

type Problems = Partial<Record<keyof PersonDraft, MessageId>>

/** What the coordinator would refuse. */
export function problemsOf(draft: PersonDraft): Problems {
  const problems: Problems = {}
  if (draft.login.trim() === '') problems.login = 'people.problem.login'
  if (draft.display_name.trim() === '') problems.display_name = 'people.problem.name'
  const email = draft.email.trim()
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) problems.email = 'people.problem.email'
  return problems
}
