import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { sessionsOfQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import styles from './account.module.css'
import { ConfirmDialog } from './ConfirmDialog'
import { SessionTable } from './SessionTable'

type Props = Readonly<{ user: User; name: string; disabledReason: string | undefined }>

/** Where somebody else is signed in, and the end of it. */
export function SessionsOfPerson({ user, name, disabledReason }: Props) {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [open, setOpen] = useState<'all' | 'factor'>()
  const query = sessionsOfQuery(user.id)
  const { data: sessions, error } = useQuery(query)
  const path = { id: user.id }
  const settle = () => client.invalidateQueries({ queryKey: query.queryKey })
  const endOne = useMutation({
    mutationFn: (session_id: string) =>
      ask(
        api.DELETE('/api/v1/iam/users/{id}/sessions/{session_id}', {
          params: { path: { ...path, session_id } },
        }),
      ),
    onSuccess: () => showToast('done', text('account.sessions.ended', { count: 1 })),
    onSettled: settle,
  })
  const done = (message: string) => {
    showToast('done', message)
    setOpen(undefined)
  }
  const endAll = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/iam/users/{id}/sessions', { params: { path } })),
    onSuccess: () => done(text('account.sessions.allEnded', { name })),
    onSettled: settle,
  })
  const reset = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/iam/users/{id}/second-factor', { params: { path } })),
    onSuccess: () => done(text('account.factor.resetDone', { name })),
    onSettled: settle,
  })
  return (
    <>
      {sessions?.length === 0 && (
        <p className={styles.none}>
          <Text id="account.sessions.none" />
        </p>
      )}
      <SessionTable
        sessions={sessions ?? []}
        disabledReason={disabledReason}
        ending={endOne.isPending ? endOne.variables : undefined}
        onEnd={(id) => endOne.mutate(id)}
      />
      <FailureNotice error={error ?? endOne.error} />
      <div className={styles.actions}>
        <Button
          disabledReason={
            disabledReason ?? (sessions?.length === 0 ? text('account.sessions.none') : undefined)
          }
          onClick={() => setOpen('all')}
        >
          {text('account.sessions.endAll')}
        </Button>
        <Button disabledReason={disabledReason} onClick={() => setOpen('factor')}>
          {text('account.factor.reset')}
        </Button>
      </div>
      {open === 'all' && (
        <ConfirmDialog
          title={text('account.sessions.endAllTitle', { name })}
          action={text('account.sessions.endAllAction')}
          busy={endAll.isPending}
          error={endAll.error}
          onConfirm={() => endAll.mutate()}
          onClose={() => setOpen(undefined)}
        >
          <Text id="account.sessions.endAllConsequence" values={{ name: <bdi>{name}</bdi> }} />
        </ConfirmDialog>
      )}
      {open === 'factor' && (
        <ConfirmDialog
          title={text('account.factor.resetTitle', { name })}
          action={text('account.factor.resetAction')}
          busy={reset.isPending}
          error={reset.error}
          onConfirm={() => reset.mutate()}
          onClose={() => setOpen(undefined)}
        >
          <Text id="account.factor.resetConsequence" values={{ name: <bdi>{name}</bdi> }} />
        </ConfirmDialog>
      )}
    </>
  )
}
