/** The language of the pages, kept with the account so that it is there on the next machine too. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useLayoutEffect } from 'react'
import { api, ask } from '@/api/client'
import { errorSentence, isUnauthenticated } from '@/api/errors'
import type { Me } from '@/api/model'
import { sessionQuery } from '@/api/queries'
import type { Language } from '@/i18n/direction'
import { useText } from '@/i18n/use-text'
import { usePreferences } from '@/stores/preferences'
import { useToasts } from '@/stores/toast'

/** Chooses for this page and, where somebody is signed in, for their account. */
export function useLanguageChoice(): (language: Language) => void {
  const client = useQueryClient()
  const text = useText()
  const setLanguage = usePreferences((preferences) => preferences.setLanguage)
  const showToast = useToasts((toasts) => toasts.show)
  const keep = useMutation({
    // One after the other: the last choice is the one that stays.
    scope: { id: 'language' },
    mutationFn: async (language: Language) => {
      // An answer that was on its way would bring the language of before back.
      await client.cancelQueries({ queryKey: sessionQuery.queryKey })
      return ask(api.PUT('/api/v1/iam/me', { body: { language } }))
    },
    onSuccess: (_, language) => {
      if (usePreferences.getState().language !== language) return
      client.setQueryData(sessionQuery.queryKey, (me) => me && { ...me, language })
    },
    onError: (error, language) => {
      if (isUnauthenticated(error)) return
      const reason = errorSentence(error, language, text)
      showToast('failed', text('profile.languageNotKept', { reason }))
    },
  })
  return (language) => {
    setLanguage(language)
    if (client.getQueryData(sessionQuery.queryKey)) keep.mutate(language)
  }
}

/** Turns the page to the language of the account, when somebody comes in or has changed it elsewhere. */
export function useAccountLanguage(me: Me | null | undefined): void {
  const setLanguage = usePreferences((preferences) => preferences.setLanguage)
  const [user, language] = [me?.user_id, me?.language]
  useLayoutEffect(() => {
    if (language) setLanguage(language)
  }, [user, language, setLanguage])
}
