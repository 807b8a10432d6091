/** What the parts of a permission are called. */
import type { Action } from '@/access/can'
import type { Kind } from '@/access/rule'
import type { MessageId } from '@/i18n/messages'

export const KIND_LABELS: Record<Kind | '*', MessageId> = {
  '*': 'access.kind.everything',
  agency: 'access.kind.agency',
  agent: 'access.kind.agent',
  audit: 'access.kind.audit',
  camera: 'access.kind.camera',
  group: 'access.kind.group',
  storage: 'access.kind.storage',
  system: 'access.kind.system',
  token: 'access.kind.token',
  user: 'access.kind.user',
}

export const ACTION_LABELS: Record<Action | '*', MessageId> = {
  '*': 'access.action.everything',
  admin: 'access.action.admin',
  clip: 'access.action.clip',
  configure: 'access.action.configure',
  export: 'access.action.export',
  playback: 'access.action.playback',
  ptz: 'access.action.ptz',
  view: 'access.action.view',
}
