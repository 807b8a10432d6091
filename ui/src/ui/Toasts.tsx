import { useEffect } from 'react'
import { IconButton } from './Button'
import { classNames } from './class-names'
import { Icon } from './Icon'
import styles from './Toasts.module.css'

type ToastMessage = Readonly<{ id: number; kind: 'done' | 'failed'; text: string }>

type Props = Readonly<{
  messages: readonly ToastMessage[]
  dismissLabel: string
  onDismiss: (id: number) => void
}>

/** Long enough to read two lines twice. Failures stay until dismissed. */
const SHOWN_FOR = 6_000

export function Toasts({ messages, dismissLabel, onDismiss }: Props) {
  return (
    <div className={styles.region} role="status" aria-live="polite">
      {messages.map((message) => (
        <Toast
          key={message.id}
          message={message}
          dismissLabel={dismissLabel}
          onDismiss={onDismiss}
        />
      ))}
    </div>
  )
}

type ToastProps = Readonly<{
  message: ToastMessage
  dismissLabel: string
  onDismiss: (id: number) => void
}>

function Toast({ message, dismissLabel, onDismiss }: ToastProps) {
  const { id, kind, text } = message
  useEffect(() => {
    if (kind === 'failed') return undefined
    const timer = setTimeout(() => onDismiss(id), SHOWN_FOR)
    return () => clearTimeout(timer)
  }, [id, kind, onDismiss])
  return (
    <div className={classNames(styles.toast, styles[kind])}>
      <Icon name={kind === 'done' ? 'check' : 'alert'} />
      <span className={styles.text}>{text}</span>
      <IconButton
        icon="close"
        look="ghost"
        align="end"
        side="above"
        aria-label={dismissLabel}
        onClick={() => onDismiss(id)}
      />
    </div>
  )
}
