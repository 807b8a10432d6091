/**
 * What this person may do, as a hint: what may not be done is shown with its reason. The coordinator
 * decides (`coordinator/src/domain/access`).
 *
 * Permissions read `kind:scope:action`; `*` stands for any, `admin` includes every action, and one
 * that begins with `!` takes away, whatever else gives.
 */
import type { Me } from '@/api/model'

export type Action = 'view' | 'playback' | 'ptz' | 'export' | 'clip' | 'configure' | 'admin'

export type Deed =
  | Readonly<{ kind: 'camera'; agency: string; id?: string; action: Action }>
  | Readonly<{
      kind: 'agency' | 'agent' | 'audit' | 'group' | 'storage' | 'system' | 'token' | 'user'
      /** Whose thing it is; left out for what belongs to no agency. */
      agency?: string
      action: Action
    }>

export function can(me: Me | null | undefined, deed: Deed): boolean {
  return decide(me, (permission, denies) => matches(permission, deed, denies))
}

/** Whether there may be something of the kind that they may act on, so that a list makes sense. */
export function canSome(me: Me | null | undefined, kind: Deed['kind'], action: Action): boolean {
  return decide(me, ([held, scope, given], denies) => {
    const everything = held === '*' && scope === undefined
    if (everything) return true
    const meant = (held === '*' || held === kind) && includes(given, action, denies)
    return meant && (!denies || scope === '*')
  })
}

type Parts = readonly (string | undefined)[]

function decide(
  me: Me | null | undefined,
  test: (permission: Parts, denies: boolean) => boolean,
): boolean {
  const permissions = me?.permissions ?? []
  const denied = permissions.some(
    (rule) => rule.startsWith('!') && test(rule.slice(1).split(':'), true),
  )
  return (
    !denied && permissions.some((rule) => !rule.startsWith('!') && test(rule.split(':'), false))
  )
}

function matches([kind, scope, action]: Parts, deed: Deed, denies: boolean): boolean {
  if (kind === '*' && scope === undefined) return true
  const camera = deed.kind === 'camera' ? deed.id : undefined
  const meant = scope === '*' || (scope !== undefined && [deed.agency, camera].includes(scope))
  return (kind === '*' || kind === deed.kind) && meant && includes(action, deed.action, denies)
}

const includes = (held: string | undefined, wanted: Action, denies: boolean): boolean =>
  held === '*' || held === wanted || (held === 'admin' && !denies)
