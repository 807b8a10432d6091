import { Link } from 'react-router'
import { Icon } from '@/ui/Icon'
import styles from './Admin.module.css'

type Props = Readonly<{ to: string; label: string }>

/** To the list that something is in. */
export function BackLink({ to, label }: Props) {
  return (
    <Link className={styles.back} to={to}>
      <Icon name="arrowBack" />
      {label}
    </Link>
  )
}
