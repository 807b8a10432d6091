import { useQueryClient } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { userQuery, usersQuery } from '@/api/queries'
import { useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Notice } from '@/ui/Notice'
import styles from './Form.module.css'
import { draftOf, LABELS, problemsOf, replacementOf } from './person'
import { PersonFields } from './PersonFields'
import { SaveBar } from './SaveBar'
import type { Directory } from './use-directory'
import { useReplacement } from './use-replacement'

type Props = Readonly<{
  user: User
  directory: Directory
  /** Why the reader may not change anything. */
  disabledReason: string | undefined
}>

/** Everything about a person that is typed or ticked. */
export function PersonForm({ user, directory, disabledReason }: Props) {
  const text = useText()
  const client = useQueryClient()
  const reasonId = useId()
  const showToast = useToasts((toasts) => toasts.show)
  const [tried, setTried] = useState(false)
  const path = { id: user.id }
  const form = useReplacement({
    thing: user,
    draftOf,
    put: (draft, revision) =>
      ask(
        api.PUT('/api/v1/iam/users/{id}', {
          params: { path },
          body: replacementOf(draft, revision),
        }),
      ),
    again: () => client.query({ ...userQuery(user.id), staleTime: 0 }),
    onSaved: async (saved) => {
      client.setQueryData(userQuery(user.id).queryKey, saved)
      setTried(false)
      showToast('done', text('people.saved', { name: directory.personName(saved) }))
      await client.invalidateQueries({ queryKey: usersQuery.queryKey })
    },
  })
  const problems = problemsOf(form.draft)
  const wrong = Object.keys(problems).length > 0
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!disabledReason && form.dirty && !wrong) form.save.mutate(form.draft)
  }
  return (
    <form className={styles.form} onSubmit={submit} noValidate aria-label={text('people.details')}>
      {disabledReason && (
        <div id={reasonId}>
          <Notice tone="info">{disabledReason}</Notice>
        </div>
      )}
      <PersonFields
        draft={form.draft}
        problems={tried ? problems : {}}
        set={form.set}
        directory={directory}
        disabledBy={disabledReason ? reasonId : undefined}
        disabledReason={disabledReason}
      />
      <SaveBar form={form} labels={LABELS} disabledReason={disabledReason} wrong={tried && wrong} />
    </form>
  )
}
