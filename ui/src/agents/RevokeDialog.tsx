import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, ask } from '@/api/client'
import { errorSentence } from '@/api/errors'
import type { Agent } from '@/api/model'
import { agentsQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useLanguage, useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Notice } from '@/ui/Notice'

type Props = Readonly<{ agent: Agent; onClose: () => void }>

/** Asks once more before an agent is locked out for good. */
export function RevokeDialog({ agent, onClose }: Props) {
  const text = useText()
  const language = useLanguage()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const revoke = useMutation({
    mutationFn: () =>
      ask(api.POST('/api/v1/agents/{id}/revoke', { params: { path: { id: agent.id } } })),
    onSuccess: async () => {
      showToast('done', text('agents.revoke.done', { name: agent.name }))
      onClose()
      await client.invalidateQueries({ queryKey: agentsQuery.queryKey })
    },
  })
  return (
    <Dialog
      title={text('agents.revoke.title', { name: agent.name })}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
          <Button
            look="danger"
            icon="cross"
            busy={revoke.isPending}
            onClick={() => revoke.mutate()}
          >
            {text('agents.revoke.action')}
          </Button>
        </>
      }
    >
      <p>
        <Text id="agents.revoke.question" values={{ name: <bdi>{agent.name}</bdi> }} />
      </p>
      <p>
        <Text id="agents.revoke.consequence" />
      </p>
      {revoke.error && <Notice tone="bad">{errorSentence(revoke.error, language, text)}</Notice>}
    </Dialog>
  )
}
