import type { ReactNode } from 'react'
import { classNames } from './class-names'
import styles from './Tooltip.module.css'

type Props = Readonly<{
  /** Given when the text describes the child, so that the child can point at it. */
  id?: string | undefined
  /** Nothing appears without one. */
  text: ReactNode
  align?: 'start' | 'centre' | 'end'
  side?: 'above' | 'below'
  children: ReactNode
}>

/** A sentence that appears while its child is pointed at or focused. */
export function Tooltip({ id, text, align = 'centre', side = 'below', children }: Props) {
  return (
    <span className={styles.anchor}>
      {children}
      {text !== undefined && (
        <span
          id={id}
          role="tooltip"
          aria-hidden={id ? undefined : true}
          className={classNames(styles.bubble, styles[align], styles[side])}
        >
          {text}
        </span>
      )}
    </span>
  )
}
