import styles from './Spinner.module.css'

type Props = Readonly<{ size?: number }>

/** Decoration; say in text what is being waited for. */
export function Spinner({ size = 20 }: Props) {
  return (
    <svg
      className={styles.spinner}
      width={size}
      height={size}
      viewBox="0 0 20 20"
      aria-hidden="true"
    >
      <circle className={styles.ring} cx="10" cy="10" r="8" />
      <circle className={styles.arc} cx="10" cy="10" r="8" />
    </svg>
  )
}
