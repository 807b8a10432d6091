import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import { RefusedError } from '@/api/errors'
import type { User } from '@/api/model'
import { identitiesQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import { Notice } from '@/ui/Notice'

/** Of an issuer's name, and of what it calls somebody. */
const LONGEST = 255

type Props = Readonly<{ user: User; name: string; onClose: () => void }>

/** Says who somebody is at an issuer outside. Nothing is trimmed: both are compared byte by byte. */
export function LinkIdentityDialog({ user, name, onClose }: Props) {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [issuer, setIssuer] = useState('')
  const [subject, setSubject] = useState('')
  const [tried, setTried] = useState(false)
  const link = useMutation({
    mutationFn: () =>
      ask(
        api.POST('/api/v1/iam/users/{id}/identities', {
          params: { path: { id: user.id } },
          body: { issuer, subject },
        }),
      ),
    onSuccess: () => {
      showToast('done', text('account.identities.linked', { name }))
      onClose()
    },
    onSettled: () => client.invalidateQueries({ queryKey: identitiesQuery(user.id).queryKey }),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (issuer !== '' && subject !== '' && !link.isPending) link.mutate()
  }
  const taken = link.error instanceof RefusedError && link.error.code === 'taken'
  return (
    <Dialog
      title={text('account.identities.linkTitle', { name })}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={formStyles.form} onSubmit={submit} noValidate>
        <p>
          <Text id="account.identities.linkConsequence" values={{ name: <bdi>{name}</bdi> }} />
        </p>
        <TextField
          label={text('account.identities.issuer')}
          hint={text('account.identities.issuerHint')}
          error={tried && issuer === '' ? text('account.identities.issuerMissing') : undefined}
          dir="ltr"
          maxLength={LONGEST}
          value={issuer}
          onChange={setIssuer}
        />
        <TextField
          label={text('account.identities.subject')}
          hint={text('account.identities.subjectHint')}
          error={tried && subject === '' ? text('account.identities.subjectMissing') : undefined}
          dir="ltr"
          maxLength={LONGEST}
          value={subject}
          onChange={setSubject}
        />
        {taken ? (
          <Notice tone="bad">{text('account.identities.taken')}</Notice>
        ) : (
          <FailureNotice error={link.error} />
        )}
        <div className={formStyles.actions}>
          <Button type="submit" look="primary" busy={link.isPending}>
            {text('account.identities.linkAction')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
