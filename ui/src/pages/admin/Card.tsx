import { useId, type ReactNode } from 'react'
import { classNames } from '@/ui/class-names'
import styles from './Admin.module.css'

type Props = Readonly<{ title: string; hint?: string; narrow?: boolean; children: ReactNode }>

/** A part of a page with its own heading. */
export function Card({ title, hint, narrow, children }: Props) {
  const id = useId()
  return (
    <section className={classNames(styles.card, narrow && styles.narrow)} aria-labelledby={id}>
      <h2 id={id} className={styles.cardTitle}>
        {title}
      </h2>
      {hint && <p className={styles.hint}>{hint}</p>}
      {children}
    </section>
  )
}
