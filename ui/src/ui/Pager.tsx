import { Button } from './Button'
import styles from './Pager.module.css'

type Props = Readonly<{
  /** Names the landmark. */
  label: string
  /** Which part is shown, as a sentence. */
  shown: string
  backLabel: string
  forwardLabel: string
  /** Why there is nothing in that direction; left out when there is. */
  noBack: string | undefined
  noForward: string | undefined
  onBack: () => void
  onForward: () => void
}>

/** Goes through a long list a part at a time. */
export function Pager(props: Props) {
  return (
    <nav className={styles.pager} aria-label={props.label}>
      <Button icon="chevronBack" disabledReason={props.noBack} onClick={props.onBack}>
        {props.backLabel}
      </Button>
      <span className={styles.shown} role="status">
        {props.shown}
      </span>
      <Button icon="chevronForward" disabledReason={props.noForward} onClick={props.onForward}>
        {props.forwardLabel}
      </Button>
    </nav>
  )
}
