import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { FailureNotice } from './FailureNotice'
import styles from './Form.module.css'
import { NewPasswordFields, passwordProblem } from './NewPasswordFields'

type Props = Readonly<{ user: User; name: string; onClose: () => void }>

/** A new password for somebody who lost theirs. */
export function PasswordDialog({ user, name, onClose }: Props) {
  const text = useText()
  const showToast = useToasts((toasts) => toasts.show)
  const [password, setPassword] = useState('')
  const [repeated, setRepeated] = useState('')
  const [tried, setTried] = useState(false)
  const set = useMutation({
    mutationFn: () =>
      ask(
        api.PUT('/api/v1/iam/users/{id}/password', {
          params: { path: { id: user.id } },
          body: { password },
        }),
      ),
    onSuccess: () => {
      showToast('done', text('people.password.done', { name }))
      onClose()
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!passwordProblem(password, repeated) && !set.isPending) set.mutate()
  }
  return (
    <Dialog
      title={text('people.password.title', { name })}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={styles.form} onSubmit={submit} noValidate>
        <p>
          <Text id="people.password.consequence" values={{ name: <bdi>{name}</bdi> }} />
        </p>
        <NewPasswordFields
          password={password}
          repeated={repeated}
          problem={tried ? passwordProblem(password, repeated) : undefined}
          onPassword={setPassword}
          onRepeated={setRepeated}
        />
        <FailureNotice error={set.error} />
        <div className={styles.actions}>
          <Button type="submit" look="primary" busy={set.isPending}>
            {text('people.password.action')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
