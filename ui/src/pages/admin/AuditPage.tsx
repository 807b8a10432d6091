import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { canSome } from '@/access/can'
import { auditQuery, sessionQuery, usersQuery } from '@/api/queries'
import { ChainState } from '@/audit/ChainState'
import { EntryDialog } from '@/audit/EntryDialog'
import { EntryTable } from '@/audit/EntryTable'
import { ExportButton } from '@/audit/ExportButton'
import auditStyles from '@/audit/audit.module.css'
import { exportAddress, readSearch, TOPIC_LABELS, TOPICS } from '@/audit/search'
import { useNow } from '@/hooks/use-now'
import { useTitle } from '@/hooks/use-title'
import { useFormat, useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { useDirectory } from '@/people/use-directory'
import { localInput, readLocalInput, workstationZone } from '@/time/zone'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { SelectField, TextField, type Option } from '@/ui/Field'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'

const TYPED = ['object', 'address', 'text'] as const
const EMPTY = {
  from: '',
  to: '',
  what: '',
  user: '',
  agency: '',
  object: '',
  address: '',
  text: '',
} as const

/** What was done, by whom; the address of the page is the search. */
export function AuditPage() {
  const text = useText()
  const [params, setParams] = useSearchParams()
  const { data: me } = useQuery(sessionQuery)
  const search = readSearch(params)
  const audit = useInfiniteQuery(auditQuery(search))
  const [opened, setOpened] = useState<number>()
  useTitle(text('audit.title'), text('common.product'))
  const zone = params.get('zone') === 'utc' ? 'UTC' : workstationZone()
  const set = (parts: Readonly<Record<string, string>>) =>
    setParams((before) => {
      for (const [name, value] of Object.entries(parts)) {
        if (value) before.set(name, value)
        else before.delete(name)
      }
      return before
    })
  const entries = audit.data?.pages.flatMap((page) => page.items) ?? []
  const entry = entries.find((one) => one.number === opened)
  const mayNot = canSome(me, 'audit', 'export') ? undefined : text('audit.mayNotExport')
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('audit.title')}</h1>
        <div className={styles.actions}>
          <ExportButton
            href={exportAddress(search, 'csv')}
            label={text('audit.export.csv')}
            disabledReason={mayNot}
          />
          <ExportButton
            href={exportAddress(search, 'jsonl')}
            label={text('audit.export.jsonl')}
            disabledReason={mayNot}
          />
        </div>
      </header>
      <ChainState />
      <Filters key={params.toString()} params={params} zone={zone} set={set} />
      {audit.isPending && <Waiting />}
      <FailureNotice error={audit.error} />
      {audit.data && entries.length === 0 && !audit.hasNextPage && (
        <EmptyState icon="search" title={text('audit.none')} />
      )}
      {entries.length > 0 && <EntryTable entries={entries} zone={zone} onOpen={setOpened} />}
      {audit.data && (
        <div className={auditStyles.actions}>
          {audit.hasNextPage && (
            <Button busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
              {text('audit.older')}
            </Button>
          )}
          <Button icon="restart" busy={audit.isRefetching} onClick={() => void audit.refetch()}>
            {text('audit.again')}
          </Button>
        </div>
      )}
      {entry && (
        <EntryDialog
          entry={entry}
          zone={zone}
          onFilter={(field, value) => {
            setOpened(undefined)
            set({ [field]: value })
          }}
          onClose={() => setOpened(undefined)}
        />
      )}
    </div>
  )
}

type FiltersProps = Readonly<{
  params: URLSearchParams
  zone: string
  set: (parts: Readonly<Record<string, string>>) => void
}>

/** Typed at leisure and asked for at once: a search is itself an entry of the audit. */
function Filters({ params, zone, set }: FiltersProps) {
  const text = useText()
  const format = useFormat(workstationZone())
  const now = useNow()
  const directory = useDirectory()
  const { data: me } = useQuery(sessionQuery)
  const mayPeople = canSome(me, 'user', 'view')
  const { data: people } = useQuery({ ...usersQuery, enabled: mayPeople })
  const given = (name: string) => params.get(name) ?? ''
  const instant = (name: string) => {
    const at = Date.parse(given(name))
    return Number.isNaN(at) ? '' : localInput(at, zone)
  }
  const [draft, setDraft] = useState<Readonly<Record<keyof typeof EMPTY, string>>>({
    from: instant('from'),
    to: instant('to'),
    what: given('what'),
    user: given('user'),
    agency: given('agency'),
    object: given('object'),
    address: given('address'),
    text: given('text'),
  })
  const change = (name: keyof typeof EMPTY) => (typed: string) =>
    setDraft({ ...draft, [name]: typed })
  const iso = (name: 'from' | 'to') => {
    const at = readLocalInput(draft[name], zone)
    return at === undefined ? '' : new Date(at).toISOString()
  }
  const all: Option<string> = { value: '', label: text('people.all') }
  const withGiven = (options: Option<string>[], chosen: string): Option<string>[] =>
    chosen === '' || options.some((one) => one.value === chosen)
      ? [all, ...options]
      : [all, ...options, { value: chosen, label: chosen }]
  const labels = {
    object: 'audit.column.object',
    address: 'audit.column.address',
    text: 'audit.text',
  } as const
  return (
    <form
      role="search"
      className={styles.card}
      onSubmit={(event) => {
        event.preventDefault()
        set({ ...draft, from: iso('from'), to: iso('to') })
      }}
    >
      <div className={auditStyles.filters}>
        <TextField
          label={text('audit.from')}
          type="datetime-local"
          dir="ltr"
          value={draft.from}
          onChange={change('from')}
        />
        <TextField
          label={text('audit.to')}
          type="datetime-local"
          dir="ltr"
          value={draft.to}
          onChange={change('to')}
        />
        <SelectField
          label={text('audit.zone')}
          value={given('zone')}
          options={[
            { value: '', label: text('audit.zoneHere', { zone: format.zoneLabel(now.wall) }) },
            { value: 'utc', label: text('audit.zoneUtc') },
          ]}
          onChange={(chosen) => set({ zone: chosen })}
        />
        <SelectField
          label={text('audit.column.what')}
          value={draft.what}
          options={withGiven(
            TOPICS.map((topic) => ({ value: topic, label: text(TOPIC_LABELS[topic]) })),
            draft.what,
          )}
          onChange={change('what')}
        />
        <SelectField
          label={text('audit.column.who')}
          value={draft.user}
          options={withGiven(
            (people ?? [])
              .map((user) => ({
                value: user.id,
                label: `${directory.personName(user)} (${user.login})`,
              }))
              .sort((one, other) => format.compare(one.label, other.label)),
            draft.user,
          )}
          onChange={change('user')}
        />
        <SelectField
          label={text('people.field.agency')}
          value={draft.agency}
          options={withGiven(
            directory
              .agencyCodes(draft.agency)
              .map((code) => ({ value: code, label: directory.agencyName(code) })),
            draft.agency,
          )}
          onChange={change('agency')}
        />
        {TYPED.map((name) => (
          <TextField
            key={name}
            label={text(labels[name])}
            dir={name === 'text' ? 'auto' : 'ltr'}
            maxLength={200}
            value={draft[name]}
            onChange={change(name)}
          />
        ))}
      </div>
      <div className={auditStyles.actions}>
        <Button type="submit" look="primary" icon="search">
          {text('audit.search')}
        </Button>
        <Button
          onClick={() => {
            setDraft(EMPTY)
            set(EMPTY)
          }}
        >
          {text('audit.clear')}
        </Button>
      </div>
    </form>
  )
}
