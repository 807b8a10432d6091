import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'

type Props = Readonly<{ onDone: () => void; onClose: () => void }>

/** The password proves that it is not somebody else at an unlocked screen. */
export function RemoveFactorDialog({ onDone, onClose }: Props) {
  const text = useText()
  const showToast = useToasts((toasts) => toasts.show)
  const [password, setPassword] = useState('')
  const remove = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/iam/me/second-factor', { body: { password } })),
    onSuccess: () => {
      showToast('done', text('account.factor.removed'))
      onDone()
      onClose()
    },
    onError: () => setPassword(''),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (password !== '' && !remove.isPending) remove.mutate()
  }
  return (
    <Dialog
      title={text('account.factor.removeTitle')}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={formStyles.form} onSubmit={submit}>
        <p>
          <Text id="account.factor.removeConsequence" />
        </p>
        <TextField
          label={text('profile.oldPassword')}
          type="password"
          autoComplete="current-password"
          dir="ltr"
          maxLength={1024}
          required
          value={password}
          onChange={setPassword}
        />
        <FailureNotice error={remove.error} />
        <div className={formStyles.actions}>
          <Button type="submit" look="danger" busy={remove.isPending}>
            {text('account.factor.removeAction')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
