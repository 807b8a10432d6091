import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from 'react-router'
import { canSome } from '@/access/can'
import { groupsQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import table from '@/people/Table.module.css'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'

export function GroupsPage() {
  const text = useText()
  const format = useFormat()
  const navigate = useNavigate()
  const directory = useDirectory()
  const { data: me } = useQuery(sessionQuery)
  const { data: groups, error } = useQuery(groupsQuery)
  useTitle(text('groups.title'), text('common.product'))
  const create = (
    <Button
      look="primary"
      icon="plus"
      disabledReason={canSome(me, 'group', 'admin') ? undefined : text('groups.mayNotManage')}
      onClick={() => void navigate(paths.newGroup())}
    >
      {text('groups.new')}
    </Button>
  )
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('groups.title')}</h1>
        {groups && groups.length > 0 && create}
      </header>
      {!groups && (error ? <FailureNotice error={error} /> : <Waiting />)}
      {groups?.length === 0 && (
        <EmptyState icon="people" title={text('groups.none.title')} action={create}>
          {text('groups.none.text')}
        </EmptyState>
      )}
      {groups && groups.length > 0 && (
        <div className={table.frame}>
          <table className={table.table} aria-label={text('groups.title')}>
            <thead>
              <tr>
                <th scope="col">
                  <Text id="groups.column.group" />
                </th>
                <th scope="col">
                  <Text id="groups.column.members" />
                </th>
                <th scope="col">
                  <Text id="people.field.agency" />
                </th>
                <th scope="col">
                  <Text id="people.field.roles" />
                </th>
              </tr>
            </thead>
            <tbody>
              {groups
                .toSorted((one, other) =>
                  format.compare(directory.nameOf(one.name), directory.nameOf(other.name)),
                )
                .map((group) => (
                  <tr key={group.id}>
                    <td>
                      <Link className={table.name} to={paths.group(group.id)}>
                        <bdi>{directory.nameOf(group.name)}</bdi>
                      </Link>
                    </td>
                    <td className={table.tight}>{format.number(group.members)}</td>
                    <td>
                      {group.agency ? (
                        <bdi>{directory.agencyName(group.agency)}</bdi>
                      ) : (
                        <Text id="groups.anyAgency" />
                      )}
                    </td>
                    <td>
                      {group.roles.map((code) => (
                        <bdi key={code} className={table.item}>
                          {directory.roleName(code)}
                        </bdi>
                      ))}
                    </td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
