import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { userQuery, usersQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { FailureNotice } from './FailureNotice'

type Props = Readonly<{ user: User; name: string; onClose: () => void }>

/** Asks once more before somebody is shut out, or let in again. */
export function StatusDialog({ user, name, onClose }: Props) {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const active = user.status === 'ACTIVE'
  const change = useMutation({
    mutationFn: () =>
      ask(
        api.PATCH('/api/v1/iam/users/{id}/status', {
          params: { path: { id: user.id } },
          body: { status: active ? 'DISABLED' : 'ACTIVE' },
        }),
      ),
    onSuccess: async (changed) => {
      client.setQueryData(userQuery(user.id).queryKey, changed)
      showToast('done', text(active ? 'people.disable.done' : 'people.enable.done', { name }))
      onClose()
      await client.invalidateQueries({ queryKey: usersQuery.queryKey })
    },
  })
  return (
    <Dialog
      title={text(active ? 'people.disable.title' : 'people.enable.title', { name })}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
          <Button
            look={active ? 'danger' : 'primary'}
            busy={change.isPending}
            onClick={() => change.mutate()}
          >
            {text(active ? 'people.disable.action' : 'people.enable.action')}
          </Button>
        </>
      }
    >
      <p>
        <Text
          id={active ? 'people.disable.consequence' : 'people.enable.consequence'}
          values={{ name: <bdi>{name}</bdi> }}
        />
      </p>
      <FailureNotice error={change.error} />
    </Dialog>
  )
}
