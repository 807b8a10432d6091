import { Text } from '@/i18n/Text'
import { Tag } from '@/ui/Tag'
import { AGENT_LOOKS, type SeenAgent } from './agent-state'

type Props = Readonly<{ state: SeenAgent }>

export function AgentTag({ state }: Props) {
  const look = AGENT_LOOKS[state]
  return (
    <Tag tone={look.tone} icon={look.icon}>
      <Text id={look.label} />
    </Tag>
  )
}
