import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearchParams } from 'react-router'
import { canSome } from '@/access/can'
import type { UserStatus } from '@/api/model'
import { sessionQuery, usersQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import { matches, NO_AGENCY } from '@/people/matching'
import { PeopleTable } from '@/people/PeopleTable'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { SelectField, TextField } from '@/ui/Field'
import { Pager } from '@/ui/Pager'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'

const ON_ONE_PAGE = 50
const STATUSES: readonly UserStatus[] = ['ACTIVE', 'DISABLED']

export function PeoplePage() {
  const text = useText()
  const format = useFormat()
  const navigate = useNavigate()
  const directory = useDirectory()
  const [search, setSearch] = useSearchParams()
  const { data: me } = useQuery(sessionQuery)
  const { data: people, error } = useQuery(usersQuery)
  useTitle(text('people.title'), text('common.product'))
  const filter = {
    words: search.get('q') ?? '',
    agency: search.get('agency') ?? '',
    status: STATUSES.find((known) => known === search.get('status')) ?? ('' as const),
    role: search.get('role') ?? '',
  }
  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        if (value) before.set(name, value)
        else before.delete(name)
        if (name !== 'page') before.delete('page')
        return before
      },
      { replace: true },
    )
  const found = (people ?? [])
    .filter((user) => matches(user, filter))
    .sort((one, other) => format.compare(directory.personName(one), directory.personName(other)))
  const pages = Math.max(1, Math.ceil(found.length / ON_ONE_PAGE))
  const page = Math.min(pages, Math.max(1, Math.trunc(Number(search.get('page') ?? 1)) || 1))
  const first = (page - 1) * ON_ONE_PAGE
  const shown = found.slice(first, first + ON_ONE_PAGE)
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('people.title')}</h1>
        <Button
          look="primary"
          icon="plus"
          disabledReason={canSome(me, 'user', 'admin') ? undefined : text('people.mayNotManage')}
          onClick={() => void navigate(paths.newPerson())}
        >
          {text('people.new')}
        </Button>
      </header>
      {!people && !error && <Waiting />}
      {!people && <FailureNotice error={error} />}
      {people && (
        <>
          <div className={styles.filters} role="search">
            <TextField
              label={text('people.search')}
              type="search"
              dir="auto"
              value={filter.words}
              onChange={(words) => set('q', words)}
            />
            <SelectField
              label={text('people.field.agency')}
              value={filter.agency}
              options={[
                { value: '', label: text('people.all') },
                ...directory
                  .agencyCodes(filter.agency === NO_AGENCY ? '' : filter.agency)
                  .map((code) => ({ value: code, label: directory.agencyName(code) })),
                { value: NO_AGENCY, label: text('people.noAgency') },
              ]}
              onChange={(agency) => set('agency', agency)}
            />
            <SelectField
              label={text('people.column.status')}
              value={filter.status}
              options={[
                { value: '', label: text('people.all') },
                { value: 'ACTIVE', label: text('people.status.active') },
                { value: 'DISABLED', label: text('people.status.disabled') },
              ]}
              onChange={(status) => set('status', status)}
            />
            <SelectField
              label={text('people.field.role')}
              value={filter.role}
              options={[
                { value: '', label: text('people.all') },
                ...[
                  ...new Set([
                    ...directory.roles.map((role) => role.code),
                    ...(filter.role ? [filter.role] : []),
                  ]),
                ].map((code) => ({ value: code, label: directory.roleName(code) })),
              ]}
              onChange={(role) => set('role', role)}
            />
          </div>
          {shown.length > 0 ? (
            <PeopleTable people={shown} directory={directory} />
          ) : (
            <EmptyState icon="search" title={text('people.noMatch')} />
          )}
          {found.length > 0 && (
            <Pager
              label={text('people.pages')}
              shown={text('people.shown', {
                from: format.number(first + 1),
                to: format.number(first + shown.length),
                total: format.number(found.length),
              })}
              backLabel={text('common.previous')}
              forwardLabel={text('common.next')}
              noBack={page > 1 ? undefined : text('common.firstPage')}
              noForward={page < pages ? undefined : text('common.lastPage')}
              onBack={() => set('page', String(page - 1))}
              onForward={() => set('page', String(page + 1))}
            />
          )}
        </>
      )}
    </div>
  )
}
