import { useQuery } from '@tanstack/react-query'
import { agenciesQuery, sessionQuery } from '@/api/queries'
import { canSome } from '@/access/can'
import type { StreamUsage, TierUsage } from '@/api/model'
import { alertsQuery, streamStatsQuery } from '@/api/streams'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Notice } from '@/ui/Notice'
import styles from './QuotaBars.module.css'

/** From here on somebody should do something about it. */
const TIGHT = 0.8

/** How many streams each agency watches at the moment, of how many. */
export function QuotaBars() {
  const text = useText()
  const names = useAgencyNames()
  const language = useLanguage()
  const { data } = useQuery(streamStatsQuery)
  const { data: alerts } = useQuery(alertsQuery)
  if (!data) return null
  const { agencies, total } = data
  return (
    <section className={styles.frame} aria-label={text('wall.quotas')}>
      <h2 className={styles.title}>{text('wall.quotas')}</h2>
      {alerts.map(({ about, agency, tier, message_ar, message_en }) => (
        <Notice key={`${about} ${agency ?? ''} ${tier ?? ''}`} tone="warn">
          {language === 'ar' ? message_ar : message_en}
        </Notice>
      ))}
      <ul className={styles.list}>
        {agencies.map((one) => (
          <li key={one.agency}>
            <Agency
              name={names.get(one.agency) ?? one.agency}
              full={one.full}
              reduced={one.reduced}
            />
          </li>
        ))}
        {agencies.length > 1 && (
          <li>
            <Agency name={text('wall.quota.total')} {...total} />
          </li>
        )}
      </ul>
    </section>
  )
}

/** Names where this person may see them; codes elsewhere. */
function useAgencyNames(): ReadonlyMap<string, string> {
  const language = useLanguage()
  const { data: me } = useQuery(sessionQuery)
  const enabled = canSome(me, 'agency', 'view')
  const { data: agencies } = useQuery({ ...agenciesQuery, enabled })
  return new Map(agencies?.map(({ code, name }) => [code, name[language]]))
}

type AgencyProps = Readonly<{ name: string }> & TierUsage

function Agency({ name, full, reduced }: AgencyProps) {
  const text = useText()
  return (
    <div className={styles.agency}>
      <bdi className={styles.name}>{name}</bdi>
      <Bar
        label={text('wall.quota.full', { name })}
        short={text('wall.quota.fullShort')}
        use={full}
      />
      <Bar
        label={text('wall.quota.reduced', { name })}
        short={text('wall.quota.reducedShort')}
        use={reduced}
      />
    </div>
  )
}

type BarProps = Readonly<{ label: string; short: string; use: StreamUsage }>

function Bar({ label, short, use }: BarProps) {
  const text = useText()
  const format = useFormat()
  const { current, limit } = use
  const part = limit > 0 ? Math.min(1, current / limit) : 1
  const tone = current >= limit ? 'bad' : part >= TIGHT ? 'warn' : undefined
  const said = text('wall.quota.used', {
    current: format.number(current),
    limit: format.number(limit),
  })
  return (
    <div className={styles.row}>
      <span className={styles.kind} aria-hidden="true">
        {short}
      </span>
      <div
        className={styles.bar}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(current, limit)}
        aria-valuetext={said}
        data-tone={tone}
      >
        <div className={styles.part} style={{ inlineSize: `${part * 100}%` }} />
      </div>
      <span className={styles.used} data-tone={tone} aria-hidden="true">
        {said}
      </span>
    </div>
  )
}
