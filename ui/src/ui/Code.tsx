import styles from './Code.module.css'

type Props = Readonly<{ children: string }>

/** A code as it is written everywhere: from left to right, in letters of one width. */
export function Code({ children }: Props) {
  return (
    <bdi dir="ltr" className={styles.code}>
      {children}
    </bdi>
  )
}
