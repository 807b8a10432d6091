import type { UserStatus } from '@/api/model'
import { Text } from '@/i18n/Text'
import { Tag } from '@/ui/Tag'

type Props = Readonly<{ status: UserStatus }>

export function StatusTag({ status }: Props) {
  const active = status === 'ACTIVE'
  return (
    <Tag tone={active ? 'live' : 'bad'} icon={active ? 'check' : 'cross'}>
      <Text id={active ? 'people.status.active' : 'people.status.disabled'} />
    </Tag>
  )
}
