import { Link } from 'react-router'
import { Text } from '@/i18n/Text'
import { paths } from '@/paths'
import styles from './Brand.module.css'

/** The product's name and sign. */
export function Brand() {
  return (
    <Link className={styles.brand} to={paths.sites()}>
      <svg className={styles.sign} viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
        <rect className={styles.ground} width="32" height="32" rx="7" />
        <rect className={styles.gap} x="5" y="18.5" width="22" height="5" rx="1.5" />
        <rect className={styles.footage} x="5" y="18.5" width="9" height="5" rx="1.5" />
        <rect className={styles.footage} x="17" y="18.5" width="10" height="5" rx="1.5" />
        <circle className={styles.lens} cx="16" cy="11" r="4.5" />
        <circle className={styles.pupil} cx="16" cy="11" r="1.6" />
      </svg>
      <span className={styles.name}>
        <Text id="common.product" />
      </span>
    </Link>
  )
}
