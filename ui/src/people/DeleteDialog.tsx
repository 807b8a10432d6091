import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { FailureNotice } from './FailureNotice'

type Props = Readonly<{
  title: string
  children: ReactNode
  remove: () => Promise<unknown>
  onDone: () => Promise<void> | void
  onClose: () => void
}>

/** Asks once more before something is deleted. */
export function DeleteDialog({ title, children, remove, onDone, onClose }: Props) {
  const text = useText()
  const deletion = useMutation({ mutationFn: remove, onSuccess: onDone })
  return (
    <Dialog
      title={title}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
          <Button
            look="danger"
            icon="cross"
            busy={deletion.isPending}
            onClick={() => deletion.mutate()}
          >
            {text('groups.delete.action')}
          </Button>
        </>
      }
    >
      {children}
      <FailureNotice error={deletion.error} />
    </Dialog>
  )
}
