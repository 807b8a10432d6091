import type { Health } from '@/api/model'
import type { Language } from '@/i18n/direction'

/** Why there is no picture, in the coordinator's words; `undefined` when there is nothing to explain. */
export function healthSentence(health: Health, language: Language): string | undefined {
  return (language === 'ar' ? health.message_ar : health.message_en) ?? undefined
}
