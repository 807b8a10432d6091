import { Text } from '@/i18n/Text'
import { useFormat } from '@/i18n/use-text'
import { classNames } from '@/ui/class-names'
import type { Seen } from './health'
import styles from './PictureAge.module.css'

type Props = Readonly<{ seen: Seen }>

/** How old the newest picture is; never shown as fresh on old word. */
export function PictureAge({ seen }: Props) {
  const format = useFormat()
  const isOld = seen.state === 'stale' || seen.state === 'down'
  if (seen.state === 'unheard') {
    return (
      <span className={styles.unheard}>
        <Text id="cameras.notHeardFor" values={{ duration: format.age(seen.heardAgo) }} />
      </span>
    )
  }
  if (seen.pictureAge === undefined) {
    return (
      <span className={styles.none}>
        <Text id="cameras.noPictureYet" />
      </span>
    )
  }
  return (
    <span className={classNames(styles.age, isOld && styles.old)}>
      <Text id="cameras.ago" values={{ duration: format.age(seen.pictureAge) }} />
    </span>
  )
}
