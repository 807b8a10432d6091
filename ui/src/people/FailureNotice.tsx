import { errorSentence, RefusedError } from '@/api/errors'
import { useLanguage, useText } from '@/i18n/use-text'
import { Notice } from '@/ui/Notice'
import styles from './FailureNotice.module.css'

type Props = Readonly<{ error: unknown }>

/** Why something was refused, with what a technician needs. */
export function FailureNotice({ error }: Props) {
  const text = useText()
  const language = useLanguage()
  if (!error) return null
  const details = error instanceof RefusedError ? error.details : undefined
  return (
    <Notice tone="bad">
      {errorSentence(error, language, text)}
      {details && (
        <p className={styles.details} dir="ltr" lang="en">
          {details}
        </p>
      )}
    </Notice>
  )
}
