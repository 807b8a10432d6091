import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate, useParams } from 'react-router'
import { IdentitiesOfPerson } from '@/account/IdentitiesOfPerson'
import { SessionsOfPerson } from '@/account/SessionsOfPerson'
import { can } from '@/access/can'
import { isMissing } from '@/api/errors'
import type { Me, User } from '@/api/model'
import { sessionQuery, userQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { EffectivePermissions } from '@/people/EffectivePermissions'
import { FailureNotice } from '@/people/FailureNotice'
import { GroupsOfPerson } from '@/people/GroupsOfPerson'
import { PasswordDialog } from '@/people/PasswordDialog'
import { PersonForm } from '@/people/PersonForm'
import { StatusDialog } from '@/people/StatusDialog'
import { StatusTag } from '@/people/StatusTag'
import { useDirectory } from '@/people/use-directory'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { NotFoundPage } from '../NotFoundPage'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'
import { BackLink } from './BackLink'
import { Card } from './Card'

export function PersonPage() {
  const { id = '' } = useParams()
  const { data: user, error } = useQuery(userQuery(id))
  const { data: me } = useQuery(sessionQuery)
  if (isMissing(error)) return <NotFoundPage />
  if (!user) return error ? <FailureNotice error={error} /> : <Waiting />
  return me ? <Person key={id} user={user} me={me} /> : null
}

type Props = Readonly<{ user: User; me: Me }>

function Person({ user, me }: Props) {
  const text = useText()
  const format = useFormat()
  const navigate = useNavigate()
  const directory = useDirectory()
  const [open, setOpen] = useState<'status' | 'password'>()
  const name = directory.personName(user)
  useTitle(name, text('common.product'))
  const agency = user.agency ? { agency: user.agency } : {}
  const mayNot = can(me, { kind: 'user', action: 'admin', ...agency })
    ? undefined
    : text('people.mayNotManage')
  const isOwn = me.user_id === user.id
  const active = user.status === 'ACTIVE'
  return (
    <div className={styles.page}>
      <BackLink to={paths.people()} label={text('people.title')} />
      <header className={styles.head}>
        <div>
          <h1 className={styles.title}>
            <bdi>{name}</bdi>
          </h1>
          <p className={styles.subtitle}>
            <Code>{user.login}</Code>
            <StatusTag status={user.status} />
            <span>{text('people.since', { when: format.date(Date.parse(user.created_at)) })}</span>
          </p>
        </div>
        <div className={styles.actions}>
          {can(me, { kind: 'token', action: 'admin' }) && (
            <Button onClick={() => void navigate(paths.tokensOf(user.id))}>
              {text('account.tokens.title')}
            </Button>
          )}
          <Button disabledReason={mayNot} onClick={() => setOpen('password')}>
            {text('people.password.open')}
          </Button>
          <Button
            look={active ? 'danger' : 'plain'}
            disabledReason={mayNot ?? (isOwn && active ? text('people.disable.own') : undefined)}
            onClick={() => setOpen('status')}
          >
            {text(active ? 'people.disable.open' : 'people.enable.open')}
          </Button>
        </div>
      </header>
      <div className={styles.columns}>
        <Card title={text('people.details')}>
          <PersonForm user={user} directory={directory} disabledReason={mayNot} />
        </Card>
        <div className={styles.side}>
          <Card title={text('people.groups.title')} hint={text('people.groups.hint')}>
            <GroupsOfPerson user={user} directory={directory} disabledReason={mayNot} />
          </Card>
          {!isOwn && (
            <Card title={text('account.sessions.title')} hint={text('account.sessions.otherHint')}>
              <SessionsOfPerson user={user} name={name} disabledReason={mayNot} />
            </Card>
          )}
          <Card title={text('account.identities.title')} hint={text('account.identities.hint')}>
            <IdentitiesOfPerson user={user} name={name} disabledReason={mayNot} />
          </Card>
          <Card title={text('access.effective.title')} hint={text('access.effective.hint')}>
            <EffectivePermissions user={user} directory={directory} />
          </Card>
        </div>
      </div>
      {open === 'status' && (
        <StatusDialog user={user} name={name} onClose={() => setOpen(undefined)} />
      )}
      {open === 'password' && (
        <PasswordDialog user={user} name={name} onClose={() => setOpen(undefined)} />
      )}
    </div>
  )
}
