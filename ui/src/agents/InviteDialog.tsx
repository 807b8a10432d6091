import { useMutation } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import { errorSentence } from '@/api/errors'
import type { Invite, NewInvite } from '@/api/model'
import { useNow } from '@/hooks/use-now'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { SelectField, TextField } from '@/ui/Field'
import { Notice } from '@/ui/Notice'
import styles from './InviteDialog.module.css'

type Props = Readonly<{ siteNames: readonly string[]; onClose: () => void }>

const HOUR = 60
const VALIDITIES = [HOUR, 24 * HOUR, 7 * 24 * HOUR] as const
const MINUTE_MS = 60_000

/** Makes a code that enrols one agent, and shows it once. */
export function InviteDialog({ siteNames, onClose }: Props) {
  const text = useText()
  const language = useLanguage()
  const formId = useId()
  const create = useMutation({
    mutationFn: (invite: NewInvite) => ask(api.POST('/api/v1/agents/invites', { body: invite })),
  })
  return (
    <Dialog
      title={text('agents.invite.title')}
      closeLabel={text('common.close')}
      onClose={onClose}
      actions={
        create.data ? (
          <Button look="primary" onClick={onClose}>
            {text('common.done')}
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>{text('common.cancel')}</Button>
            <FormButton
              form={formId}
              busy={create.isPending}
              label={text('agents.invite.create')}
            />
          </>
        )
      }
    >
      {create.data ? (
        <InviteCode invite={create.data} />
      ) : (
        <InviteForm
          id={formId}
          siteNames={siteNames}
          onSubmit={(invite) => create.mutate(invite)}
        />
      )}
      {create.error && <Notice tone="bad">{errorSentence(create.error, language, text)}</Notice>}
    </Dialog>
  )
}

type FormButtonProps = Readonly<{ form: string; busy: boolean; label: string }>

/** Submits a form it is not inside of. */
function FormButton({ form, busy, label }: FormButtonProps) {
  return (
    <Button
      look="primary"
      busy={busy}
      onClick={() => {
        const element = document.getElementById(form)
        if (element instanceof HTMLFormElement) element.requestSubmit()
      }}
    >
      {label}
    </Button>
  )
}

type FormProps = Readonly<{
  id: string
  siteNames: readonly string[]
  onSubmit: (invite: NewInvite) => void
}>

function InviteForm({ id, siteNames, onSubmit }: FormProps) {
  const text = useText()
  const format = useFormat()
  const listId = useId()
  const [site, setSite] = useState(siteNames[0] ?? '')
  const [name, setName] = useState('')
  const [validity, setValidity] = useState(String(VALIDITIES[1]))
  const [tried, setTried] = useState(false)
  const missing = tried && site.trim() === '' ? text('agents.invite.siteMissing') : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (site.trim() === '') return
    const invite: NewInvite = { site_name: site.trim(), valid_for_minutes: Number(validity) }
    onSubmit(name.trim() ? { ...invite, agent_name: name.trim() } : invite)
  }
  return (
    <form id={id} className={styles.form} onSubmit={submit} noValidate>
      <TextField
        label={text('agents.invite.site')}
        hint={text('agents.invite.siteHint')}
        error={missing}
        value={site}
        maxLength={100}
        dir="auto"
        list={listId}
        onChange={setSite}
      />
      <datalist id={listId}>
        {siteNames.map((known) => (
          <option key={known} value={known} />
        ))}
      </datalist>
      <TextField
        label={text('agents.invite.name')}
        hint={text('agents.invite.nameHint')}
        value={name}
        maxLength={100}
        dir="auto"
        onChange={setName}
      />
      <SelectField
        label={text('agents.invite.validity')}
        value={validity}
        options={VALIDITIES.map((minutes) => ({
          value: String(minutes),
          label: format.duration(minutes * MINUTE_MS),
        }))}
        onChange={setValidity}
      />
    </form>
  )
}

type CodeProps = Readonly<{ invite: Invite }>

function InviteCode({ invite }: CodeProps) {
  const text = useText()
  const format = useFormat()
  const left = Date.parse(invite.expires_at) - useNow().wall
  const command = `cctv-agent enroll ${invite.code}`
  const [copied, setCopied] = useState(false)
  const copy = () => {
    navigator.clipboard.writeText(command).then(
      () => setCopied(true),
      () => setCopied(false),
    )
  }
  return (
    <div className={styles.code}>
      <img
        className={styles.qr}
        src={`data:image/svg+xml;utf8,${encodeURIComponent(invite.qr_svg)}`}
        alt={text('agents.invite.qr')}
      />
      <p>
        <Text id="agents.invite.instructions" />
      </p>
      <div className={styles.line} dir="ltr">
        <output className={styles.text}>{command}</output>
        <Button icon={copied ? 'check' : 'copy'} onClick={copy}>
          {copied ? text('agents.invite.copied') : text('agents.invite.copy')}
        </Button>
      </div>
      <p className={styles.expiry}>
        {left > 0
          ? text('agents.invite.expires', {
              duration: format.duration(left),
              when: format.dateTime(Date.parse(invite.expires_at)),
            })
          : text('agents.invite.expired')}
      </p>
    </div>
  )
}
