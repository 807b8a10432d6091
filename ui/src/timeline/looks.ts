/** How what is known of a stretch is said. */
import type { Cause } from '@/api/model'
import type { Language } from '@/i18n/direction'
import type { MessageId } from '@/i18n/messages'
import type { IconName } from '@/ui/Icon'
import type { Known, Look } from './coverage'

export const LOOK_LABELS: Record<Look, MessageId> = {
  centre: 'timeline.look.centre',
  edge: 'timeline.look.edge',
  lost: 'timeline.look.lost',
  policy: 'timeline.look.policy',
  pending: 'timeline.look.pending',
  unexplained: 'timeline.look.unexplained',
}

export const CAUSES: Record<Cause, Readonly<{ icon: IconName; label: MessageId }>> = {
  camera: { icon: 'camera', label: 'timeline.cause.camera' },
  network: { icon: 'network', label: 'timeline.cause.network' },
  disk: { icon: 'disk', label: 'timeline.cause.disk' },
  host: { icon: 'host', label: 'timeline.cause.host' },
  operator: { icon: 'operator', label: 'timeline.cause.operator' },
  policy: { icon: 'policy', label: 'timeline.cause.policy' },
}

/** The coordinator's sentence for a missing stretch; `undefined` for every other. */
export function sentenceOf(known: Known, language: Language): string | undefined {
  return known.state === 'missing' ? known.sentence[language] : undefined
}
