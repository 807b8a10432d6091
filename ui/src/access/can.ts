/**
 * What this person may do, as a hint: what may not be done is shown with its reason. The coordinator
 * decides (`coordinator/src/domain/access.rs`).
 *
 * Permissions read `kind:scope:deed`; `*` stands for any.
 */
import type { Me } from '@/api/model'

export type Deed =
  | Readonly<{
      kind: 'camera'
      agency: string
      deed: 'view' | 'playback' | 'configure' | 'restart' | 'probe'
    }>
  | Readonly<{ kind: 'agent'; deed: 'view' | 'manage' }>

export function can(me: Me | null | undefined, deed: Deed): boolean {
  const wanted = [deed.kind, deed.kind === 'camera' ? deed.agency : '*', deed.deed]
  return me?.permissions.some((permission) => covers(permission.split(':'), wanted)) ?? false
}

const covers = (held: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((part, index) => held[index] === '*' || held[index] === part)
