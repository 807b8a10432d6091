/** The pages of administration that somebody has anything to see on. */
import { canSome } from '@/access/can'
import type { Me } from '@/api/model'
import type { MessageId } from '@/i18n/messages'
import { paths } from '@/paths'

type Entry = Readonly<{ path: string; label: MessageId }>

export function administration(me: Me | null | undefined): Entry[] {
  const entries: Entry[] = []
  if (canSome(me, 'user', 'view')) entries.push({ path: paths.people(), label: 'people.title' })
  if (canSome(me, 'group', 'view')) {
    entries.push({ path: paths.groups(), label: 'groups.title' })
    entries.push({ path: paths.roles(), label: 'groups.roles.title' })
  }
  if (canSome(me, 'agency', 'view')) {
    entries.push({ path: paths.agencies(), label: 'groups.agencies.title' })
  }
  if (canSome(me, 'audit', 'view')) entries.push({ path: paths.audit(), label: 'audit.title' })
  return entries
}
