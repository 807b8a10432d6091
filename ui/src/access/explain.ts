/** Why somebody may do something: which role, group or exception says so, and what it is worth. Pure. */
import type { Group, Role, User } from '@/api/model'
import { isCameraScope, readRule, ruleOf, writeRule, type Rule } from './rule'

/** Where a rule comes from. */
export type Source =
  | Readonly<{ from: 'role'; role: string }>
  | Readonly<{ from: 'group'; group: string; role?: string }>
  | Readonly<{ from: 'exception' }>

/**
 * - `gives`: allows, and nothing takes it back
 * - `partly`: allows, but something takes a part of it
 * - `taken`: allows, but something takes all of it
 * - `forbids`: takes
 * - `nothing`: speaks of the person's agency, and they have none
 */
export type Effect = 'gives' | 'partly' | 'taken' | 'forbids' | 'nothing'

export type Explanation = Readonly<{
  rule: Rule
  /** As the coordinator writes it. */
  text: string
  /** Empty when it comes from something that the reader may not see. */
  sources: readonly Source[]
  effect: Effect
  /** Rules that take it, as text. */
  takenBy: readonly string[]
}>

type Said = Readonly<{ rule: Rule; source: Source }>

/** The agency of a camera, where it is known. */
export type AgencyOfCamera = (id: string) => string | undefined

export function explain(
  user: Pick<User, 'agency' | 'roles' | 'groups' | 'permissions' | 'effective_permissions'>,
  roles: readonly Role[],
  groups: readonly Group[],
  agencyOf: AgencyOfCamera,
): Explanation[] {
  const said = allSaid(user, roles, groups)
  const effective = read(user.effective_permissions)
  const denials = effective.filter((rule) => !rule.allows)
  const lines = effective.map((rule): Explanation => {
    const text = writeRule(rule)
    const sources = said
      .filter((one) => {
        const meant = ruleOf(one.rule, user.agency)
        return meant && writeRule(meant) === text
      })
      .map((one) => one.source)
    return { rule, text, sources, ...effectOf(rule, denials, agencyOf) }
  })
  return [...lines, ...idle(said, user.agency)]
}

function effectOf(rule: Rule, denials: readonly Rule[], agencyOf: AgencyOfCamera) {
  if (!rule.allows) return { effect: 'forbids', takenBy: [] } as const
  const takes = denials.filter((denial) => overlap(denial, rule, agencyOf) !== 'none')
  const all = takes.some((denial) => overlap(denial, rule, agencyOf) === 'all')
  const effect = all ? 'taken' : takes.length > 0 ? 'partly' : 'gives'
  return { effect, takenBy: takes.map(writeRule) } as const
}

/** Rules about an own agency that is not there. */
function idle(said: readonly Said[], agency: string | null | undefined): Explanation[] {
  const byText = new Map<string, Explanation>()
  for (const { rule, source } of said) {
    if (ruleOf(rule, agency)) continue
    const text = writeRule(rule)
    const sources = [...(byText.get(text)?.sources ?? []), source]
    byText.set(text, { rule, text, sources, effect: 'nothing', takenBy: [] })
  }
  return [...byText.values()]
}

function allSaid(
  user: Pick<User, 'roles' | 'groups' | 'permissions'>,
  roles: readonly Role[],
  groups: readonly Group[],
): Said[] {
  const ofRole = (code: string) => read(roles.find((role) => role.code === code)?.permissions ?? [])
  return [
    ...user.roles.flatMap((role) =>
      ofRole(role).map((rule) => ({ rule, source: { from: 'role', role } as const })),
    ),
    ...user.groups.flatMap(({ id }) => {
      const group = groups.find((one) => one.id === id)
      const source = { from: 'group', group: id } as const
      return [
        ...read(group?.permissions ?? []).map((rule) => ({ rule, source })),
        ...(group?.roles ?? []).flatMap((role) =>
          ofRole(role).map((rule) => ({ rule, source: { ...source, role } })),
        ),
      ]
    }),
    ...read(user.permissions).map((rule) => ({ rule, source: { from: 'exception' } as const })),
  ]
}

const read = (texts: readonly string[]): Rule[] =>
  texts.map(readRule).filter((rule) => rule !== undefined)

type Overlap = 'all' | 'part' | 'none'

/** How much of what `allowance` gives is taken by `denial`. */
export function overlap(denial: Rule, allowance: Rule, agencyOf: AgencyOfCamera): Overlap {
  const parts = [
    part(denial.kind, allowance.kind),
    overlapOfScopes(denial.scope, allowance.scope, agencyOf),
    // To allow `admin` allows everything; to deny it denies that alone.
    part(denial.action, allowance.action === 'admin' ? '*' : allowance.action),
  ]
  if (parts.includes('none')) return 'none'
  return parts.includes('part') ? 'part' : 'all'
}

function part(denied: string, allowed: string): Overlap {
  if (denied === '*' || denied === allowed) return 'all'
  return allowed === '*' ? 'part' : 'none'
}

function overlapOfScopes(denied: string, allowed: string, agencyOf: AgencyOfCamera): Overlap {
  const same = part(denied, allowed)
  if (same !== 'none') return same
  if (isCameraScope(denied) && !isCameraScope(allowed)) {
    return [undefined, allowed].includes(agencyOf(denied)) ? 'part' : 'none'
  }
  if (isCameraScope(allowed) && !isCameraScope(denied)) {
    const agency = agencyOf(allowed)
    if (agency === undefined) return 'part'
    return agency === denied ? 'all' : 'none'
  }
  return 'none'
}
