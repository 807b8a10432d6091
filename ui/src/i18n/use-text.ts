/** Text and formats for components. */
import { useCallback } from 'react'
import { useIntl } from 'react-intl'
import { workstationZone } from '@/time/zone'
import type { Language } from './direction'
import { formatFor, type Format } from './format'
import type { MessageId } from './messages'

export type TextValues = Readonly<Record<string, string | number | Date>>

/** Writes a text in the language of the page. */
export type WriteText = (id: MessageId, values?: TextValues) => string

export function useText(): WriteText {
  const intl = useIntl()
  return useCallback((id, values) => intl.formatMessage({ id }, { ...values }), [intl])
}

export const useLanguage = (): Language => useIntl().locale.split('-')[0] as Language

/** Formats in the page's language; times in `zone`, or in the workstation's. */
export function useFormat(zone?: string): Format {
  return formatFor(useLanguage(), zone ?? workstationZone())
}
