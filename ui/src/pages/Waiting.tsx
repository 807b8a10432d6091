import { Text } from '@/i18n/Text'
import { Spinner } from '@/ui/Spinner'
import styles from './Waiting.module.css'

/** While a page's first answer is on its way. */
export function Waiting() {
  return (
    <div className={styles.waiting} role="status">
      <Spinner />
      <Text id="common.loading" />
    </div>
  )
}
