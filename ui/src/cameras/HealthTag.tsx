import { Text } from '@/i18n/Text'
import { Tag } from '@/ui/Tag'
import { LOOKS, type SeenState } from './health'

type Props = Readonly<{ state: SeenState; bare?: boolean }>

export function HealthTag({ state, bare }: Props) {
  const look = LOOKS[state]
  return (
    <Tag tone={look.tone} icon={look.icon} bare={bare ?? false}>
      <Text id={look.label} />
    </Tag>
  )
}
