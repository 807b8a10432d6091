import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import type { Agency } from '@/api/model'
import { agenciesQuery } from '@/api/queries'
import { useLanguage, useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import { FailureNotice } from './FailureNotice'
import styles from './Form.module.css'
import { agencyDraft, isAgencyCode, NAME_LABELS, nameOfDraft, nameProblems } from './group'
import { NameFields } from './NameFields'
import { SaveBar } from './SaveBar'
import { useReplacement } from './use-replacement'

type NewProps = Readonly<{ onClose: () => void }>

/** An agency that was not there before. Its code stays for ever. */
export function NewAgencyDialog({ onClose }: NewProps) {
  const text = useText()
  const language = useLanguage()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [code, setCode] = useState('')
  const [draft, setDraft] = useState({ name_en: '', name_ar: '' })
  const [tried, setTried] = useState(false)
  const problems = nameProblems(draft)
  const create = useMutation({
    mutationFn: () =>
      ask(api.POST('/api/v1/iam/agencies', { body: { code, name: nameOfDraft(draft) } })),
    onSuccess: async (agency) => {
      showToast('done', text('groups.created', { name: agency.name[language] }))
      onClose()
      await client.invalidateQueries({ queryKey: agenciesQuery.queryKey })
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    const wrong = Object.keys(problems).length > 0 || !isAgencyCode(code)
    if (!wrong && !create.isPending) create.mutate()
  }
  return (
    <Dialog
      title={text('groups.agencies.newTitle')}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={styles.form} onSubmit={submit} noValidate>
        <TextField
          label={text('groups.field.code')}
          hint={text('groups.agencies.codeHint')}
          error={tried && !isAgencyCode(code) ? text('groups.problem.agencyCode') : undefined}
          dir="ltr"
          maxLength={32}
          value={code}
          onChange={(typed) => setCode(typed.toUpperCase())}
        />
        <NameFields
          draft={draft}
          problems={tried ? problems : {}}
          set={(part) => setDraft({ ...draft, ...part })}
        />
        <FailureNotice error={create.error} />
        <div className={styles.actions}>
          <Button type="submit" look="primary" icon="check" busy={create.isPending}>
            {text('groups.agencies.create')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}

type Props = Readonly<{ agency: Agency; onClose: () => void }>

/** What an agency is called. */
export function AgencyDialog({ agency, onClose }: Props) {
  const text = useText()
  const language = useLanguage()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [tried, setTried] = useState(false)
  const form = useReplacement({
    thing: agency,
    draftOf: agencyDraft,
    put: (draft, revision) =>
      ask(
        api.PUT('/api/v1/iam/agencies/{code}', {
          params: { path: { code: agency.code } },
          body: { name: nameOfDraft(draft), revision },
        }),
      ),
    again: async () => {
      const agencies = await client.query({ ...agenciesQuery, staleTime: 0 })
      return agencies.find((one) => one.code === agency.code) ?? agency
    },
    onSaved: async (saved) => {
      showToast('done', text('groups.saved', { name: saved.name[language] }))
      onClose()
      await client.invalidateQueries({ queryKey: agenciesQuery.queryKey })
    },
  })
  const problems = nameProblems(form.draft)
  const wrong = Object.keys(problems).length > 0
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (form.dirty && !wrong) form.save.mutate(form.draft)
  }
  return (
    <Dialog
      title={text('groups.agencies.renameTitle', { code: agency.code })}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={styles.form} onSubmit={submit} noValidate>
        <NameFields draft={form.draft} problems={tried ? problems : {}} set={form.set} />
        <SaveBar
          form={form}
          labels={NAME_LABELS}
          disabledReason={undefined}
          wrong={tried && wrong}
        />
      </form>
    </Dialog>
  )
}
