import type { ReactNode } from 'react'
import { classNames } from './class-names'
import { Icon, type IconName } from './Icon'
import styles from './Tag.module.css'

export type Tone = 'live' | 'warn' | 'bad' | 'quiet' | 'odd'

type Props = Readonly<{ tone: Tone; icon: IconName; children: ReactNode; bare?: boolean }>

/** A state in one or two words; its shape says as much as its colour. */
export function Tag({ tone, icon, children, bare }: Props) {
  return (
    <span className={classNames(styles.tag, styles[tone], bare && styles.bare)}>
      <Icon name={icon} size={14} />
      {children}
    </span>
  )
}
