/**
 * Permissions as text and in parts: `kind:scope:action`, `*` for any, `!` before what is forbidden
 * (`coordinator/src/domain/access/permission.rs`). Pure.
 */
import type { Action } from './can'

export const KINDS = [
  'camera',
  'agent',
  'storage',
  'user',
  'group',
  'agency',
  'audit',
  'token',
  'system',
] as const

export type Kind = (typeof KINDS)[number]

export type Rule = Readonly<{
  allows: boolean
  kind: Kind | '*'
  /** `*`, `own`, the code of an agency, or the id of a camera. */
  scope: string
  action: Action | '*'
}>

/** Those that mean something; `admin` includes every one. */
export const ACTIONS_OF: Readonly<Record<Kind | '*', readonly Action[]>> = {
  '*': ['view', 'export', 'configure', 'admin'],
  camera: ['view', 'playback', 'ptz', 'export', 'clip', 'configure', 'admin'],
  agent: ['view', 'admin'],
  storage: ['view', 'admin'],
  user: ['view', 'admin'],
  group: ['view', 'admin'],
  agency: ['view', 'configure', 'admin'],
  audit: ['view', 'export', 'admin'],
  token: ['admin'],
  system: ['configure', 'admin'],
}

const ACTIONS = new Set<string>(ACTIONS_OF.camera)

const isKind = (text: string): text is Kind => (KINDS as readonly string[]).includes(text)
const isAction = (text: string): text is Action => ACTIONS.has(text)

export function readRule(text: string): Rule | undefined {
  const allows = !text.startsWith('!')
  const permission = allows ? text : text.slice(1)
  if (permission === '*') return { allows, kind: '*', scope: '*', action: '*' }
  const [kind, scope, action, ...more] = permission.split(':')
  if (kind === undefined || !scope || action === undefined || more.length > 0) return undefined
  if (kind !== '*' && !isKind(kind)) return undefined
  if (action !== '*' && !isAction(action)) return undefined
  return { allows, kind, scope, action }
}

export function writeRule({ allows, kind, scope, action }: Rule): string {
  const everything = kind === '*' && scope === '*' && action === '*'
  return `${allows ? '' : '!'}${everything ? '*' : `${kind}:${scope}:${action}`}`
}

/** Whether a scope is one camera: agencies have no `-` in their codes. */
export const isCameraScope = (scope: string): boolean => scope.includes('-')

/** What a rule means for somebody of this agency; nothing, when it speaks of an agency they have not. */
export function ruleOf(rule: Rule, agency: string | null | undefined): Rule | undefined {
  if (rule.scope !== 'own') return rule
  return agency ? { ...rule, scope: agency } : undefined
}
