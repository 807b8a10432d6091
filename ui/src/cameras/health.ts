/**
 * How a camera is doing, as far as this page can know: the coordinator's word, aged by the time that
 * has passed since it was heard. Pure.
 */
import type { Heard } from '@/api/heard'
import type { Camera, HealthState } from '@/api/model'
import { elapsed, type Now } from '@/hooks/use-now'
import type { IconName } from '@/ui/Icon'
import type { Tone } from '@/ui/Tag'
import type { MessageId } from '@/i18n/messages'

/** The coordinator's states, and one of ours: it has not been heard from for a while. */
export type SeenState = HealthState | 'unheard'

export type Seen = Readonly<{
  state: SeenState
  /** Age of the newest picture by now, in ms; `undefined` when there never was one. */
  pictureAge: number | undefined
  /** How long ago the coordinator said so, in ms. */
  heardAgo: number
}>

/** After this long without an answer nothing is known any more; in ms. */
export const UNHEARD_AFTER = 10_000
/**
 * The coordinator calls a picture stale after 5 s; here it may be older by the time between two
 * answers, about 3 s, before this page says so by itself; in ms.
 */
export const STALE_AFTER = 8_000

/** What may be said of a camera at `now`. */
export function seen(camera: Heard<Camera>, now: Now): Seen {
  const heardAgo = elapsed(camera.at, now)
  const { state, age_ms } = camera.value.health
  const pictureAge = age_ms == null ? undefined : age_ms + heardAgo
  return { state: stateNow(state, pictureAge, heardAgo), pictureAge, heardAgo }
}

function stateNow(said: HealthState, pictureAge: number | undefined, heardAgo: number): SeenState {
  if (heardAgo > UNHEARD_AFTER) return 'unheard'
  if (said === 'live' && (pictureAge === undefined || pictureAge > STALE_AFTER)) return 'stale'
  return said
}

/** The coordinator's clock at `now`, read off the age it gave a picture; in ms of UTC. */
export function coordinatorTime(camera: Heard<Camera>, now: Now): number | undefined {
  const { last_picture, age_ms } = camera.value.health
  if (!last_picture || age_ms == null) return undefined
  return Date.parse(last_picture) + age_ms + elapsed(camera.at, now)
}

/** What operators look for: which cameras show something, which do not, and which nobody can tell. */
export type Group = 'live' | 'trouble' | 'away' | 'off'

export const GROUPS: readonly Group[] = ['live', 'trouble', 'away', 'off']

export const groupOf = (state: SeenState): Group => LOOKS[state].group

type StateLook = Readonly<{ tone: Tone; icon: IconName; label: MessageId; group: Group }>

export const LOOKS: Record<SeenState, StateLook> = {
  live: { tone: 'live', icon: 'dot', label: 'cameras.state.live', group: 'live' },
  stale: { tone: 'warn', icon: 'clock', label: 'cameras.state.stale', group: 'trouble' },
  down: { tone: 'bad', icon: 'alert', label: 'cameras.state.down', group: 'trouble' },
  offline: { tone: 'quiet', icon: 'unlink', label: 'cameras.state.offline', group: 'away' },
  off: { tone: 'quiet', icon: 'square', label: 'cameras.state.off', group: 'off' },
  unknown: { tone: 'quiet', icon: 'question', label: 'cameras.state.unknown', group: 'away' },
  unheard: { tone: 'odd', icon: 'question', label: 'cameras.state.unheard', group: 'away' },
}
