/** Which people a list shows. Pure. */
import type { User, UserStatus } from '@/api/model'

export type PeopleFilter = Readonly<{
  words: string
  /** A code; `-` for those of no agency; empty for all. */
  agency: string
  status: UserStatus | ''
  role: string
}>

export const NO_AGENCY = '-'

/**
 * One form for what people write in several ways: case, width, accents, Arabic vowel signs and
 * lengthening, and the letters that are exchanged when typing in haste.
 */
export function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\u0640]/gu, '')
    .replace(/[أإآٱ]/g, 'ا')
    .replace(/ى/g, 'ي')
    .replace(/ة/g, 'ه')
    .toLowerCase()
}

/** Whether every word is somewhere in one of the texts. */
export function hasWords(words: string, texts: readonly (string | null | undefined)[]): boolean {
  const all = folded(texts.filter(Boolean).join('\n'))
  return folded(words)
    .split(/\s+/)
    .every((word) => all.includes(word))
}

export function matches(user: User, { words, agency, status, role }: PeopleFilter): boolean {
  return (
    (agency === '' || (user.agency ?? NO_AGENCY) === agency) &&
    (status === '' || user.status === status) &&
    (role === '' || user.roles.includes(role)) &&
    hasWords(words, [
      user.display_name,
      user.arabic_name,
      user.login,
      user.email,
      user.employee_number,
      user.department,
      user.section,
    ])
  )
}
