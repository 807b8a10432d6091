import type { ReactNode } from 'react'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'

type Props = Readonly<{
  title: string
  /** What the button does. */
  action: string
  busy: boolean
  error: unknown
  onConfirm: () => void
  onClose: () => void
  /** What follows from it. */
  children: ReactNode
}>

/** Asks once more before something that cannot be taken back. */
export function ConfirmDialog(props: Props) {
  const { title, action, busy, error, onConfirm, onClose, children } = props
  const text = useText()
  return (
    <Dialog
      title={title}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
          <Button look="danger" busy={busy} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    >
      <p>{children}</p>
      <FailureNotice error={error} />
    </Dialog>
  )
}
