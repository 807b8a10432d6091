import { Text } from '@/i18n/Text'
import type { Look } from './coverage'
import { LanePieces } from './LanePieces'
import styles from './Legend.module.css'
import { LOOK_LABELS } from './looks'

const LOOKS: readonly Look[] = ['centre', 'edge', 'lost', 'policy', 'pending', 'unexplained']

/** What the looks of the lane mean. */
export function Legend() {
  return (
    <ul className={styles.legend}>
      {LOOKS.map((look) => (
        <li key={look} className={styles.item}>
          <svg className={styles.swatch} width="20" height="10" aria-hidden="true">
            <LanePieces pieces={[{ look, offset: 0, width: 20, cause: undefined }]} height={10} />
          </svg>
          <Text id={LOOK_LABELS[look]} />
        </li>
      ))}
    </ul>
  )
}
