import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { api, ask } from '@/api/client'
import { errorSentence } from '@/api/errors'
import { heard } from '@/api/heard'
import type { Camera, CameraChange, RecordingMode, UploadPolicy } from '@/api/model'
import { cameraQuery } from '@/api/queries'
import type { MessageId } from '@/i18n/messages'
import { useLanguage, useText } from '@/i18n/use-text'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { SelectField, TextField } from '@/ui/Field'
import { Notice } from '@/ui/Notice'
import { changeOf, draftOf, problemsOf, type SettingsDraft } from './settings'
import styles from './CameraSettingsForm.module.css'

type Props = Readonly<{
  camera: Camera
  agencies: readonly string[]
  /** Why this person may not change anything. */
  disabledReason: string | undefined
}>

const RECORDING: Record<RecordingMode, MessageId> = {
  continuous: 'cameras.recording.continuous',
  scheduled: 'cameras.recording.scheduled',
  event: 'cameras.recording.event',
  off: 'cameras.recording.off',
}
const UPLOAD: Record<UploadPolicy, MessageId> = {
  all: 'cameras.upload.all',
  events: 'cameras.upload.events',
  'on-demand': 'cameras.upload.onDemand',
  schedule: 'cameras.upload.schedule',
}

/** What the centre decides for a camera; what is left to the agent's own file says so. */
export function CameraSettingsForm({ camera, agencies, disabledReason }: Props) {
  const text = useText()
  const language = useLanguage()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const agenciesId = useId()
  const reasonId = useId()
  const disabledBy = disabledReason ? reasonId : undefined
  const [draft, setDraft] = useState(() => draftOf(camera))
  const change = changeOf(camera, draft)
  const problems = problemsOf(camera, draft)
  const save = useMutation({
    mutationFn: (body: CameraChange) =>
      ask(api.PATCH('/api/v1/cameras/{id}', { params: { path: { id: camera.id } }, body })),
    onSuccess: (changed) => {
      client.setQueryData(cameraQuery(camera.id).queryKey, heard(changed))
      setDraft(draftOf(changed))
      showToast('done', text('cameras.settings.saved'))
    },
  })
  const unusable =
    disabledReason ??
    (change === undefined ? text('cameras.settings.unchanged') : undefined) ??
    (Object.keys(problems).length > 0 ? text('cameras.settings.invalid') : undefined)
  const set = (part: Partial<SettingsDraft>) => setDraft({ ...draft, ...part })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (!unusable && change) save.mutate(change)
  }
  const options = <T extends string>(labels: Record<T, MessageId>, unset: boolean) => [
    ...(unset ? [{ value: '' as const, label: text('cameras.settings.asAgent') }] : []),
    ...(Object.keys(labels) as T[]).map((value) => ({ value, label: text(labels[value]) })),
  ]
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      {disabledReason && (
        <div id={reasonId}>
          <Notice tone="info">{disabledReason}</Notice>
        </div>
      )}
      <TextField
        label={text('cameras.settings.name')}
        disabledBy={disabledBy}
        error={problems.name && text(problems.name)}
        value={draft.name}
        maxLength={100}
        dir="auto"
        onChange={(name) => set({ name })}
      />
      <TextField
        label={text('cameras.settings.agency')}
        hint={text('cameras.settings.agencyHint')}
        disabledBy={disabledBy}
        error={problems.agency && text(problems.agency)}
        value={draft.agency}
        maxLength={32}
        dir="ltr"
        list={agenciesId}
        onChange={(agency) => set({ agency: agency.toUpperCase() })}
      />
      <datalist id={agenciesId}>
        {agencies.map((agency) => (
          <option key={agency} value={agency} />
        ))}
      </datalist>
      <SelectField
        label={text('cameras.settings.recording')}
        hint={text('cameras.settings.recordingHint')}
        disabledBy={disabledBy}
        value={draft.recording}
        options={options(RECORDING, !camera.settings.recording)}
        onChange={(recording) => set({ recording })}
      />
      <SelectField
        label={text('cameras.settings.upload')}
        hint={text('cameras.settings.uploadHint')}
        disabledBy={disabledBy}
        value={draft.upload}
        options={options(UPLOAD, !camera.settings.upload)}
        onChange={(upload) => set({ upload })}
      />
      <TextField
        label={text('cameras.settings.retention')}
        hint={text('cameras.settings.retentionHint')}
        disabledBy={disabledBy}
        error={problems.retention && text(problems.retention)}
        value={draft.retention}
        inputMode="numeric"
        dir="ltr"
        onChange={(retention) => set({ retention })}
      />
      {save.error && <Notice tone="bad">{errorSentence(save.error, language, text)}</Notice>}
      <div className={styles.actions}>
        <Button
          type="submit"
          look="primary"
          icon="check"
          busy={save.isPending}
          disabledReason={unusable}
        >
          {text('cameras.settings.save')}
        </Button>
      </div>
    </form>
  )
}
