import type { ReactNode } from 'react'
import { useIntl } from 'react-intl'
import type { MessageId } from './messages'

type Props = Readonly<{ id: MessageId; values?: Readonly<Record<string, ReactNode>> }>

/** A text in the language of the page; values may be elements, such as a `<bdi>` around a name. */
export function Text({ id, values }: Props): ReactNode {
  return useIntl().formatMessage({ id }, values)
}
