/** How an agent is doing, as far as this page can know. Pure. */
import type { Heard } from '@/api/heard'
import type { Agent, AgentState } from '@/api/model'
import { elapsed, type Now } from '@/hooks/use-now'
import type { MessageId } from '@/i18n/messages'
import type { IconName } from '@/ui/Icon'
import type { Tone } from '@/ui/Tag'

export type SeenAgent = AgentState | 'unheard'

/** After this long without an answer nothing is known any more; in ms. */
const UNHEARD_AFTER = 10_000

export const seenAgent = (agent: Heard<Agent>, now: Now): SeenAgent =>
  elapsed(agent.at, now) > UNHEARD_AFTER ? 'unheard' : agent.value.state

type AgentLook = Readonly<{ tone: Tone; icon: IconName; label: MessageId }>

export const AGENT_LOOKS: Record<SeenAgent, AgentLook> = {
  connected: { tone: 'live', icon: 'dot', label: 'agents.state.connected' },
  offline: { tone: 'warn', icon: 'unlink', label: 'agents.state.offline' },
  revoked: { tone: 'quiet', icon: 'cross', label: 'agents.state.revoked' },
  unheard: { tone: 'odd', icon: 'question', label: 'agents.state.unheard' },
}

export type BufferShares = Readonly<{
  /** Recordings the centre has; part of the disk from 0 to 1. */
  sent: number
  /** Recordings only here. */
  unsent: number
  /** Everything else on the disk. */
  other: number
}>

/** Who uses the disk. The filesystem's and our own figures may be of different moments. */
export function sharesOf(buffer: NonNullable<Agent['buffer']>): BufferShares {
  const total = Math.max(1, buffer.total_bytes)
  const ratio = (bytes: number) => Math.min(1, Math.max(0, bytes / total))
  const unsent = ratio(Math.min(buffer.unsent_bytes, buffer.used_bytes))
  const sent = ratio(buffer.used_bytes) - unsent
  const other = Math.max(0, 1 - ratio(buffer.free_bytes) - sent - unsent)
  return { sent, unsent, other }
}
