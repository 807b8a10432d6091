import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, ask } from '@/api/client'
import { ownSessionsQuery } from '@/api/queries'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import styles from './account.module.css'
import { SessionTable } from './SessionTable'

/** Where one is signed in oneself, and the end of what one does not know. */
export function OwnSessions() {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const { data: sessions = [], error } = useQuery(ownSessionsQuery)
  const end = useMutation({
    mutationFn: async (ids: readonly string[]) => {
      for (const id of ids) {
        await ask(api.DELETE('/api/v1/iam/me/sessions/{id}', { params: { path: { id } } }))
      }
    },
    onSuccess: (_, ids) => {
      showToast('done', text('account.sessions.ended', { count: ids.length }))
    },
    onSettled: () => client.invalidateQueries({ queryKey: ownSessionsQuery.queryKey }),
  })
  const others = sessions.filter((one) => !one.current).map((one) => one.id)
  const ending = end.isPending && end.variables.length === 1 ? end.variables[0] : undefined
  return (
    <>
      <SessionTable sessions={sessions} ending={ending} onEnd={(id) => end.mutate([id])} />
      <FailureNotice error={error ?? end.error} />
      <div className={styles.actions}>
        <Button
          busy={end.isPending && ending === undefined}
          disabledReason={others.length > 0 ? undefined : text('account.sessions.noOthers')}
          onClick={() => end.mutate(others)}
        >
          {text('account.sessions.endOthers')}
        </Button>
      </div>
    </>
  )
}
