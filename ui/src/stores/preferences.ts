/**
 * How this person likes the interface; kept in this browser. The language follows that of the account
 * (`@/account/use-language-choice`), and is what a page has before anybody has signed in.
 */
import { create } from 'zustand'
import { persist } from 'zustand/middleware'
import { preferredLanguage, type Language } from '@/i18n/direction'

export type Theme = 'dark' | 'light'

type Preferences = {
  language: Language
  theme: Theme
  setLanguage: (language: Language) => void
  setTheme: (theme: Theme) => void
}

export const usePreferences = create<Preferences>()(
  persist(
    (set) => ({
      language: preferredLanguage(navigator.languages),
      theme: 'dark',
      setLanguage: (language) => set({ language }),
      setTheme: (theme) => set({ theme }),
    }),
    {
      name: 'cctv.preferences',
      version: 1,
      partialize: ({ language, theme }) => ({ language, theme }),
    },
  ),
)
