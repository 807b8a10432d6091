import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import type { OfferedFactor } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { TextField } from '@/ui/Field'
import styles from './account.module.css'
import { CopyButton } from './CopyButton'
import { RecoveryCodes } from './RecoveryCodes'

type Props = Readonly<{ offer: OfferedFactor; onSet: () => void; onClose: () => void }>

/** Tells an authenticator app the secret, has it prove that it knows, and gives the recovery codes. */
export function SetUpFactorDialog({ offer, onSet, onClose }: Props) {
  const text = useText()
  const [code, setCode] = useState('')
  const confirm = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/iam/me/second-factor/confirm', { body: { code } })),
    gcTime: 0,
    onSuccess: onSet,
    onError: () => setCode(''),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (code.trim() !== '' && !confirm.isPending) confirm.mutate()
  }
  if (confirm.data) {
    return (
      <Dialog
        key="codes"
        title={text('account.codes.title')}
        closeLabel={text('common.close')}
        onClose={onClose}
        actions={
          <Button look="primary" onClick={onClose}>
            {text('account.codes.kept')}
          </Button>
        }
      >
        <p>
          <Text id="account.factor.isOn" />
        </p>
        <RecoveryCodes codes={confirm.data.codes} />
      </Dialog>
    )
  }
  return (
    <Dialog
      key="offer"
      title={text('account.factor.setUpTitle')}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={styles.step} onSubmit={submit}>
        <p>
          <Text id="account.factor.scan" />
        </p>
        <img
          className={styles.qr}
          src={`data:image/svg+xml;utf8,${encodeURIComponent(offer.qr_svg)}`}
          alt={text('account.factor.qr')}
        />
        <p>
          <Text id="account.factor.type" />
        </p>
        <div className={styles.secret} dir="ltr">
          <output className={styles.secretText}>{offer.secret}</output>
          <CopyButton text={offer.secret} />
        </div>
        <TextField
          label={text('account.factor.code')}
          name="code"
          autoComplete="one-time-code"
          inputMode="numeric"
          dir="ltr"
          maxLength={64}
          required
          value={code}
          onChange={setCode}
        />
        <FailureNotice error={confirm.error} />
        <div className={styles.actions}>
          <Button type="submit" look="primary" busy={confirm.isPending}>
            {text('account.factor.confirm')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
