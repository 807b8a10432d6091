import { Link } from 'react-router'
import type { User } from '@/api/model'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { Code } from '@/ui/Code'
import { StatusTag } from './StatusTag'
import styles from './Table.module.css'
import type { Directory } from './use-directory'

type Props = Readonly<{ people: readonly User[]; directory: Directory }>

/** People, one line each. */
export function PeopleTable({ people, directory }: Props) {
  const text = useText()
  return (
    <div className={styles.frame}>
      <table className={styles.table} aria-label={text('people.title')}>
        <thead>
          <tr>
            <th scope="col">
              <Text id="people.column.person" />
            </th>
            <th scope="col">
              <Text id="people.column.status" />
            </th>
            <th scope="col">
              <Text id="people.field.agency" />
            </th>
            <th scope="col">
              <Text id="people.field.roles" />
            </th>
            <th scope="col">
              <Text id="people.field.employeeNumber" />
            </th>
          </tr>
        </thead>
        <tbody>
          {people.map((user) => (
            <PersonRow key={user.id} user={user} directory={directory} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

type RowProps = Readonly<{ user: User; directory: Directory }>

function PersonRow({ user, directory }: RowProps) {
  const name = directory.personName(user)
  const other = [user.display_name, user.arabic_name].find((one) => one && one !== name)
  const given = [
    ...user.roles.map(directory.roleName),
    ...user.groups.map((group) => directory.nameOf(group.name)),
  ]
  return (
    <tr>
      <td>
        <Link className={styles.name} to={paths.person(user.id)}>
          <bdi>{name}</bdi>
        </Link>
        <div className={styles.detail}>
          {other && <bdi>{other}</bdi>}
          <Code>{user.login}</Code>
        </div>
      </td>
      <td className={styles.tight}>
        <StatusTag status={user.status} />
      </td>
      <td>
        {user.agency ? (
          <bdi>{directory.agencyName(user.agency)}</bdi>
        ) : (
          <Text id="people.noAgency" />
        )}
      </td>
      <td className={styles.wide}>
        {given.map((one) => (
          <bdi key={one} className={styles.item}>
            {one}
          </bdi>
        ))}
      </td>
      <td className={styles.wide}>{user.employee_number && <Code>{user.employee_number}</Code>}</td>
    </tr>
  )
}
