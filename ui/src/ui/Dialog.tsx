import { useEffect, useId, useRef, type ReactNode } from 'react'
import { IconButton } from './Button'
import styles from './Dialog.module.css'

type Props = Readonly<{
  title: string
  closeLabel: string
  onClose: () => void
  /** Buttons, in the order of reading; the one that does it last. */
  actions?: ReactNode
  children: ReactNode
}>

/** A question in front of the page. Mount it to open it; Escape closes it. */
export function Dialog({ title, closeLabel, onClose, actions, children }: Props) {
  const titleId = useId()
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = ref.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      className={styles.dialog}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <header className={styles.head}>
        <h2 id={titleId} className={styles.title}>
          {title}
        </h2>
        <IconButton
          icon="close"
          look="ghost"
          align="end"
          aria-label={closeLabel}
          onClick={onClose}
        />
      </header>
      <div className={styles.body}>{children}</div>
      {actions && <footer className={styles.actions}>{actions}</footer>}
    </dialog>
  )
}
