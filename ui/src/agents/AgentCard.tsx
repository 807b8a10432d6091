import { useId, type ReactNode } from 'react'
import type { Heard } from '@/api/heard'
import type { Agent } from '@/api/model'
import { useNow } from '@/hooks/use-now'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import type { MessageId } from '@/i18n/messages'
import { Button } from '@/ui/Button'
import { seenAgent } from './agent-state'
import styles from './AgentCard.module.css'
import { AgentTag } from './AgentTag'
import { BufferBar } from './BufferBar'

type Props = Readonly<{
  agent: Heard<Agent>
  /** Why it may not be revoked. */
  revokeReason: string | undefined
  onRevoke: () => void
}>

/** One agent: its link, its clock, its disk and what it still owes. */
export function AgentCard({ agent: heard, revokeReason, onRevoke }: Props) {
  const agent = heard.value
  const text = useText()
  const format = useFormat()
  const now = useNow()
  const titleId = useId()
  const state = seenAgent(heard, now)
  const revoked = agent.state === 'revoked'
  return (
    <article className={styles.card} aria-labelledby={titleId}>
      <header className={styles.head}>
        <div>
          <p className={styles.site}>
            <bdi>{agent.site_name}</bdi>
          </p>
          <h2 id={titleId} className={styles.name}>
            <bdi>{agent.name}</bdi>
          </h2>
          <p className={styles.host}>
            <bdi>{[agent.version, agent.host].filter(Boolean).join(' · ')}</bdi>
          </p>
        </div>
        <AgentTag state={state} />
      </header>
      <dl className={styles.facts}>
        {agent.connected_since ? (
          <Fact term="agents.connectedSince">
            {format.dateTime(Date.parse(agent.connected_since))}
          </Fact>
        ) : (
          <Fact term="agents.lastSeen">
            {agent.last_seen ? format.dateTime(Date.parse(agent.last_seen)) : text('agents.never')}
          </Fact>
        )}
        <Fact term="agents.roundTrip">
          {agent.round_trip_us == null ? undefined : format.length(agent.round_trip_us)}
        </Fact>
        <Fact term="agents.clock">
          {agent.clock_offset_us == null ? undefined : format.offset(agent.clock_offset_us)}
        </Fact>
        <Fact term="agents.cameras">{format.number(agent.cameras)}</Fact>
        <Fact term="agents.metadataBacklog">{format.number(agent.metadata_backlog)}</Fact>
        <Fact term="agents.uploadBacklog">{format.number(agent.upload_backlog)}</Fact>
        <Fact term="agents.oldest">
          {agent.buffer?.oldest ? format.dateTime(Date.parse(agent.buffer.oldest)) : undefined}
        </Fact>
      </dl>
      {agent.buffer && !revoked && <BufferBar buffer={agent.buffer} now={now.wall} />}
      <footer className={styles.foot}>
        <Button
          look="ghost"
          icon="cross"
          disabledReason={revoked ? text('agents.revoke.already') : revokeReason}
          onClick={onRevoke}
        >
          <Text id="agents.revoke.action" />
        </Button>
      </footer>
    </article>
  )
}

type FactProps = Readonly<{ term: MessageId; children: ReactNode }>

function Fact({ term, children }: FactProps) {
  const format = useFormat()
  return (
    <div className={styles.fact}>
      <dt>
        <Text id={term} />
      </dt>
      <dd>{children ?? format.nothing}</dd>
    </div>
  )
}
