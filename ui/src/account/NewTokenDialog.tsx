import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import { apiTokensQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { RulesEditor } from '@/people/RulesEditor'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { SelectField, TextField } from '@/ui/Field'
import { Notice } from '@/ui/Notice'
import styles from './account.module.css'
import { CopyButton } from './CopyButton'

/** In days; nothing lasts longer than two years. */
const VALIDITIES = ['7', '30', '90', '180', '365', '732'] as const

type Props = Readonly<{ onClose: () => void }>

/** Makes a token for a machine and shows its text once. */
export function NewTokenDialog({ onClose }: Props) {
  const text = useText()
  const client = useQueryClient()
  const directory = useDirectory()
  const [name, setName] = useState('')
  const [days, setDays] = useState<(typeof VALIDITIES)[number]>('90')
  const [scopes, setScopes] = useState<string[]>([])
  const [tried, setTried] = useState(false)
  const create = useMutation({
    mutationFn: () =>
      ask(
        api.POST('/api/v1/iam/api-tokens', {
          body: { name: name.trim(), scopes, valid_for_days: Number(days) },
        }),
      ),
    gcTime: 0,
    onSettled: () => client.invalidateQueries({ queryKey: apiTokensQuery(undefined).queryKey }),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (name.trim() !== '' && !create.isPending) create.mutate()
  }
  if (create.data) {
    return (
      <Dialog
        key="made"
        title={text('account.tokens.made', { name: create.data.name })}
        closeLabel={text('common.close')}
        onClose={onClose}
        actions={
          <Button look="primary" onClick={onClose}>
            {text('common.done')}
          </Button>
        }
      >
        <Notice tone="warn">
          <Text id="account.tokens.once" />
        </Notice>
        <div className={styles.secret} dir="ltr">
          <output className={styles.secretText}>{create.data.text}</output>
          <CopyButton text={create.data.text} />
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog
      key="new"
      title={text('account.tokens.new')}
      closeLabel={text('common.close')}
      onClose={onClose}
    >
      <form className={formStyles.form} onSubmit={submit} noValidate>
        <TextField
          label={text('account.tokens.name')}
          hint={text('account.tokens.nameHint')}
          error={tried && name.trim() === '' ? text('account.tokens.nameMissing') : undefined}
          dir="auto"
          maxLength={64}
          value={name}
          onChange={setName}
        />
        <SelectField
          label={text('account.tokens.validity')}
          value={days}
          options={VALIDITIES.map((value) => ({
            value,
            label: text('account.tokens.days', { count: Number(value) }),
          }))}
          onChange={setDays}
        />
        <RulesEditor
          title={text('account.tokens.scopes')}
          hint={text('account.tokens.scopesHint')}
          none={text('account.tokens.allScopes')}
          rules={scopes}
          onChange={setScopes}
          directory={directory}
          disabledReason={undefined}
        />
        <FailureNotice error={create.error} />
        <div className={formStyles.actions}>
          <Button type="submit" look="primary" busy={create.isPending}>
            {text('account.tokens.create')}
          </Button>
          <Button onClick={onClose}>{text('common.cancel')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
