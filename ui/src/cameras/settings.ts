/** A change of a camera's settings, from what was typed to what is sent. Pure. */
import type { Camera, CameraChange, RecordingMode, UploadPolicy } from '@/api/model'
import type { MessageId } from '@/i18n/messages'

/** As the form holds it; empty for what the agent's own file decides. */
export type SettingsDraft = Readonly<{
  name: string
  agency: string
  recording: RecordingMode | ''
  upload: UploadPolicy | ''
  retention: string
}>

export const draftOf = ({ name, agency, settings }: Camera): SettingsDraft => ({
  name,
  agency,
  recording: settings.recording ?? '',
  upload: settings.upload ?? '',
  retention: settings.retention_hours == null ? '' : String(settings.retention_hours),
})

/** Only what differs; `undefined` when nothing does. */
export function changeOf(camera: Camera, draft: SettingsDraft): CameraChange | undefined {
  const before = draftOf(camera)
  const change: CameraChange = {}
  if (draft.name.trim() !== before.name) change.display_name = draft.name.trim()
  if (draft.agency !== before.agency) change.agency = draft.agency
  if (draft.recording && draft.recording !== before.recording) change.recording = draft.recording
  if (draft.upload && draft.upload !== before.upload) change.upload = draft.upload
  if (draft.retention.trim() !== before.retention) {
    change.retention_hours = Number(draft.retention)
  }
  return Object.keys(change).length > 0 ? change : undefined
}

/** Ten years, as the API allows. */
const MOST_HOURS = 87_600

type Problems = Partial<Record<'name' | 'agency' | 'retention', MessageId>>

/** What the coordinator would refuse. */
export function problemsOf(camera: Camera, draft: SettingsDraft): Problems {
  const problems: Problems = {}
  if (draft.name.trim() === '') problems.name = 'cameras.settings.nameMissing'
  if (!/^[A-Z0-9_]{1,32}$/.test(draft.agency)) problems.agency = 'cameras.settings.agencyWrong'
  if (!isRetention(camera, draft.retention.trim())) {
    problems.retention = 'cameras.settings.retentionWrong'
  }
  return problems
}

function isRetention(camera: Camera, text: string): boolean {
  // Once the centre has decided, it cannot leave the decision to the agent again.
  if (text === '') return camera.settings.retention_hours == null
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_HOURS
}
