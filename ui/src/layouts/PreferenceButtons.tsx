import { useLanguageChoice } from '@/account/use-language-choice'
import { useText } from '@/i18n/use-text'
import { usePreferences } from '@/stores/preferences'
import { IconButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import styles from './PreferenceButtons.module.css'

/** Language and light, for the person in front of the screen. */
export function PreferenceButtons() {
  const text = useText()
  const { language, theme, setTheme } = usePreferences()
  const chooseLanguage = useLanguageChoice()
  const other = language === 'en' ? 'ar' : 'en'
  return (
    <div className={styles.buttons}>
      <IconButton
        icon={theme === 'dark' ? 'sun' : 'moon'}
        look="ghost"
        aria-label={text(theme === 'dark' ? 'common.theme.light' : 'common.theme.dark')}
        onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}
      />
      {/* Written in the language it leads to, so that whoever needs it can read it. */}
      <button
        type="button"
        className={styles.language}
        lang={other}
        onClick={() => chooseLanguage(other)}
      >
        <Icon name="globe" />
        <span className={styles.languageName}>{text('common.otherLanguage')}</span>
        <span className={styles.languageShort} aria-hidden="true">
          {text('common.otherLanguageShort')}
        </span>
      </button>
    </div>
  )
}
