import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Notice } from '@/ui/Notice'
import styles from './account.module.css'
import { CopyButton } from './CopyButton'

type Props = Readonly<{ codes: readonly string[] }>

/** Codes for when the app is gone. The coordinator keeps none of them in a form that could be shown again. */
export function RecoveryCodes({ codes }: Props) {
  const text = useText()
  return (
    <div className={styles.step}>
      <Notice tone="warn">
        <Text id="account.codes.once" />
      </Notice>
      <div className={styles.sheet}>
        <ul className={styles.codes} dir="ltr" aria-label={text('account.codes.title')}>
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ul>
      </div>
      <div className={styles.actions}>
        <CopyButton text={codes.join('\n')} />
        <Button onClick={() => globalThis.print()}>{text('account.codes.print')}</Button>
      </div>
    </div>
  )
}
