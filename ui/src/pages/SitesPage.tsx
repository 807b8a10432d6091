import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { Link, useSearchParams } from 'react-router'
import { can } from '@/access/can'
import { AgentTag } from '@/agents/AgentTag'
import { seenAgent } from '@/agents/agent-state'
import { errorSentence } from '@/api/errors'
import { keepTime, type Heard } from '@/api/heard'
import type { Agent, Camera } from '@/api/model'
import { agentsQuery, camerasQuery, sessionQuery } from '@/api/queries'
import { CameraTable } from '@/cameras/CameraTable'
import { FilterBar } from '@/cameras/FilterBar'
import { bySite, countGroups, type SiteGroup } from '@/cameras/grouping'
import { GROUPS, type Group } from '@/cameras/health'
import { useNow } from '@/hooks/use-now'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { stripWindow, type StripWindow } from '@/timeline/strip-window'
import { EmptyState } from '@/ui/EmptyState'
import { Notice } from '@/ui/Notice'
import styles from './SitesPage.module.css'
import { Waiting } from './Waiting'

export function SitesPage() {
  const text = useText()
  const language = useLanguage()
  const format = useFormat()
  const now = useNow()
  const [search, setSearch] = useSearchParams()
  const { data: me } = useQuery(sessionQuery)
  const { data: cameras, error } = useQuery(camerasQuery)
  const maySeeAgents = can(me, { kind: 'agent', action: 'view' })
  const { data: agents } = useQuery({ ...agentsQuery, enabled: maySeeAgents })
  useTitle(text('common.nav.cameras'), text('common.product'))
  const words = search.get('q') ?? ''
  const group = GROUPS.find((known) => known === search.get('show'))
  const set = (name: string, value: string | undefined) =>
    setSearch(
      (before) => {
        if (value) before.set(name, value)
        else before.delete(name)
        return before
      },
      { replace: true },
    )
  const oldest = Math.min(...(cameras?.value ?? []).map((camera) => Date.parse(camera.since)))
  const window = stripWindow(oldest, now.wall)
  const sites = cameras ? bySite(cameras, { words, group }, now, format.compare) : []
  return (
    <div className={styles.page}>
      <h1 className={styles.title}>{text('common.nav.cameras')}</h1>
      {cameras && (
        <FilterBar
          counts={countGroups(cameras, now)}
          group={group}
          words={words}
          onGroup={(chosen: Group | undefined) => set('show', chosen)}
          onWords={(typed) => set('q', typed)}
        />
      )}
      {!cameras && error && <Notice tone="bad">{errorSentence(error, language, text)}</Notice>}
      {!cameras && !error && <Waiting />}
      {cameras?.value.length === 0 && (
        <EmptyState
          icon="camera"
          title={text(maySeeAgents ? 'cameras.none.title' : 'cameras.noneForYou.title')}
          action={maySeeAgents && <Link to={paths.agents()}>{text('cameras.none.action')}</Link>}
        >
          {text(maySeeAgents ? 'cameras.none.text' : 'cameras.noneForYou.text')}
        </EmptyState>
      )}
      {cameras && cameras.value.length > 0 && sites.length === 0 && (
        <EmptyState icon="search" title={text('cameras.noMatch')} />
      )}
      {cameras &&
        sites.map((site) => (
          <SitePanel
            key={site.id}
            site={site}
            cameras={keepTime(cameras, site.cameras)}
            window={window}
            agents={
              agents &&
              keepTime(
                agents,
                agents.value.filter((agent) => agent.site_id === site.id),
              )
            }
          />
        ))}
    </div>
  )
}

type PanelProps = Readonly<{
  site: SiteGroup
  cameras: Heard<readonly Camera[]>
  window: StripWindow
  agents: Heard<readonly Agent[]> | undefined
}>

function SitePanel({ site, cameras, window, agents }: PanelProps) {
  const id = useId()
  const now = useNow()
  return (
    <section className={styles.site} aria-labelledby={id}>
      <header className={styles.siteHead}>
        <h2 id={id} className={styles.siteName}>
          <bdi>{site.name}</bdi>
        </h2>
        <span className={styles.count}>
          <Text id="cameras.count" values={{ count: site.cameras.length }} />
        </span>
        <ul className={styles.agents}>
          {agents?.value
            .filter((agent) => agent.state !== 'revoked')
            .map((agent) => (
              <li key={agent.id} className={styles.agent}>
                <bdi>{agent.name}</bdi>
                <AgentTag state={seenAgent(keepTime(agents, agent), now)} />
              </li>
            ))}
        </ul>
      </header>
      <CameraTable cameras={cameras} window={window} labelledBy={id} />
    </section>
  )
}
