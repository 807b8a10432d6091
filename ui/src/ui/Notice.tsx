import type { ReactNode } from 'react'
import { classNames } from './class-names'
import { Icon, type IconName } from './Icon'
import styles from './Notice.module.css'

export type NoticeTone = 'info' | 'warn' | 'bad'

const ICONS: Record<NoticeTone, IconName> = { info: 'question', warn: 'clock', bad: 'alert' }

type Props = Readonly<{ tone: NoticeTone; children: ReactNode; action?: ReactNode }>

/** A sentence about the state of things; bad ones are read out at once. */
export function Notice({ tone, children, action }: Props) {
  return (
    <div
      className={classNames(styles.notice, styles[tone])}
      role={tone === 'bad' ? 'alert' : 'status'}
    >
      <Icon name={ICONS[tone]} />
      <div className={styles.text}>{children}</div>
      {action}
    </div>
  )
}
