import type { AuditEntry } from '@/api/model'
import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { Code } from '@/ui/Code'

type Who = AuditEntry['who']

const KINDS: Record<Who['kind'], MessageId> = {
  user: 'audit.who.user',
  agent: 'audit.who.agent',
  console: 'audit.who.console',
  system: 'audit.who.system',
  unknown: 'audit.who.unknown',
}

type Props = Readonly<{ who: Who }>

/** Who acted, by name where there still is one. */
export function ActorText({ who }: Props) {
  const text = useText()
  if (who.name) return <bdi>{who.name}</bdi>
  return (
    <>
      {text(KINDS[who.kind])} {who.id && <Code>{who.id}</Code>}
    </>
  )
}
