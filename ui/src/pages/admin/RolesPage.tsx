import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from 'react-router'
import { can } from '@/access/can'
import { rolesQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import table from '@/people/Table.module.css'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Tag } from '@/ui/Tag'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'

export function RolesPage() {
  const text = useText()
  const format = useFormat()
  const navigate = useNavigate()
  const directory = useDirectory()
  const { data: me } = useQuery(sessionQuery)
  const { data: roles, error } = useQuery(rolesQuery)
  useTitle(text('groups.roles.title'), text('common.product'))
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1 className={styles.title}>{text('groups.roles.title')}</h1>
        <Button
          look="primary"
          icon="plus"
          disabledReason={
            can(me, { kind: 'group', action: 'admin' }) ? undefined : text('groups.roles.mayNot')
          }
          onClick={() => void navigate(paths.newRole())}
        >
          {text('groups.roles.new')}
        </Button>
      </header>
      {!roles && (error ? <FailureNotice error={error} /> : <Waiting />)}
      {roles && (
        <div className={table.frame}>
          <table className={table.table} aria-label={text('groups.roles.title')}>
            <thead>
              <tr>
                <th scope="col">
                  <Text id="groups.column.role" />
                </th>
                <th scope="col">
                  <Text id="groups.column.kind" />
                </th>
                <th scope="col">
                  <Text id="groups.column.permissions" />
                </th>
              </tr>
            </thead>
            <tbody>
              {roles.map((role) => (
                <tr key={role.code}>
                  <td>
                    <Link className={table.name} to={paths.role(role.code)}>
                      <bdi>{directory.nameOf(role.name)}</bdi>
                    </Link>
                    <div className={table.detail}>
                      <Code>{role.code}</Code>
                    </div>
                  </td>
                  <td className={table.tight}>
                    {role.built_in ? (
                      <Tag tone="quiet" icon="square">
                        <Text id="groups.roles.builtIn" />
                      </Tag>
                    ) : (
                      <Tag tone="live" icon="operator">
                        <Text id="groups.roles.own" />
                      </Tag>
                    )}
                  </td>
                  <td className={table.tight}>{format.number(role.permissions.length)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
