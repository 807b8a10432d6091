import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { can } from '@/access/can'
import { AgentCard } from '@/agents/AgentCard'
import { InviteDialog } from '@/agents/InviteDialog'
import { RevokeDialog } from '@/agents/RevokeDialog'
import { errorSentence } from '@/api/errors'
import { keepTime } from '@/api/heard'
import type { Agent } from '@/api/model'
import { agentsQuery, sessionQuery, sitesQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { Notice } from '@/ui/Notice'
import styles from './AgentsPage.module.css'
import { Waiting } from './Waiting'

type Open = Readonly<{ dialog: 'invite' }> | Readonly<{ dialog: 'revoke'; agent: Agent }>

export function AgentsPage() {
  const text = useText()
  const language = useLanguage()
  const format = useFormat()
  const agents = useQuery(agentsQuery)
  const sites = useQuery(sitesQuery)
  const { data: me } = useQuery(sessionQuery)
  const [open, setOpen] = useState<Open>()
  useTitle(text('common.nav.agents'), text('common.product'))
  const mayNot = can(me, { kind: 'agent', action: 'admin' })
    ? undefined
    : text('agents.mayNotManage')
  const invite = (
    <Button
      look="primary"
      icon="plus"
      disabledReason={mayNot}
      onClick={() => setOpen({ dialog: 'invite' })}
    >
      {text('agents.invite.action')}
    </Button>
  )
  const close = () => setOpen(undefined)
  const heard = agents.data
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('common.nav.agents')}</h1>
        {heard && heard.value.length > 0 && invite}
      </header>
      {!heard && agents.error && (
        <Notice tone="bad">{errorSentence(agents.error, language, text)}</Notice>
      )}
      {!heard && !agents.error && <Waiting />}
      {heard?.value.length === 0 && (
        <EmptyState icon="agent" title={text('agents.none.title')} action={invite}>
          {text('agents.none.text')}
        </EmptyState>
      )}
      <div className={styles.cards}>
        {heard &&
          [...heard.value]
            .sort(
              (one, other) =>
                format.compare(one.site_name, other.site_name) ||
                format.compare(one.name, other.name),
            )
            .map((agent) => (
              <AgentCard
                key={agent.id}
                agent={keepTime(heard, agent)}
                revokeReason={mayNot}
                onRevoke={() => setOpen({ dialog: 'revoke', agent })}
              />
            ))}
      </div>
      {open?.dialog === 'invite' && (
        <InviteDialog siteNames={(sites.data ?? []).map((site) => site.name)} onClose={close} />
      )}
      {open?.dialog === 'revoke' && <RevokeDialog agent={open.agent} onClose={close} />}
    </div>
  )
}
