import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { can } from '@/access/can'
import { api, ask } from '@/api/client'
import { isMissing } from '@/api/errors'
import type { GroupWithMembers, Me } from '@/api/model'
import { groupQuery, groupsQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { DeleteDialog } from '@/people/DeleteDialog'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { GROUP_LABELS, groupDraft, groupSettings, nameProblems } from '@/people/group'
import { GroupFields } from '@/people/GroupFields'
import { SaveBar } from '@/people/SaveBar'
import { useDirectory, type Directory } from '@/people/use-directory'
import { useReplacement } from '@/people/use-replacement'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { Notice } from '@/ui/Notice'
import { NotFoundPage } from '../NotFoundPage'
import { Waiting } from '../Waiting'
import styles from './Admin.module.css'
import { BackLink } from './BackLink'
import { Card } from './Card'

export function GroupPage() {
  const { id = '' } = useParams()
  const { data: group, error } = useQuery(groupQuery(id))
  const { data: me } = useQuery(sessionQuery)
  if (isMissing(error)) return <NotFoundPage />
  if (!group) return error ? <FailureNotice error={error} /> : <Waiting />
  return me ? <Group key={id} group={group} me={me} /> : null
}

type Props = Readonly<{ group: GroupWithMembers; me: Me }>

function Group({ group, me }: Props) {
  const text = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const directory = useDirectory()
  const [deleting, setDeleting] = useState(false)
  const showToast = useToasts((toasts) => toasts.show)
  const name = directory.nameOf(group.name)
  useTitle(name, text('common.product'))
  const agency = group.agency ? { agency: group.agency } : {}
  const mayNot = can(me, { kind: 'group', action: 'admin', ...agency })
    ? undefined
    : text('groups.mayNotManage')
  return (
    <div className={styles.page}>
      <BackLink to={paths.groups()} label={text('groups.title')} />
      <header className={styles.head}>
        <h1 className={styles.title}>
          <bdi>{name}</bdi>
        </h1>
        <Button look="danger" disabledReason={mayNot} onClick={() => setDeleting(true)}>
          {text('groups.delete.open')}
        </Button>
      </header>
      <div className={styles.columns}>
        <Card title={text('groups.details')}>
          <GroupForm group={group} directory={directory} disabledReason={mayNot} />
        </Card>
        <Card title={text('groups.members.title')} hint={text('groups.members.hint')}>
          {group.people.length === 0 && <p>{text('groups.members.none')}</p>}
          <ul>
            {group.people.map((person) => (
              <li key={person.id} className={styles.subtitle}>
                <Link to={paths.person(person.id)}>
                  <bdi>{person.display_name}</bdi>
                </Link>
                <Code>{person.login}</Code>
              </li>
            ))}
          </ul>
          {group.members > group.people.length && (
            <p className={styles.hint}>
              {text('groups.members.hidden', { count: group.members - group.people.length })}
            </p>
          )}
        </Card>
      </div>
      {deleting && (
        <DeleteDialog
          title={text('groups.delete.title', { name })}
          remove={() =>
            ask(api.DELETE('/api/v1/iam/groups/{id}', { params: { path: { id: group.id } } }))
          }
          onDone={async () => {
            showToast('done', text('groups.delete.done', { name }))
            await navigate(paths.groups())
            await client.invalidateQueries({ queryKey: groupsQuery.queryKey, exact: true })
          }}
          onClose={() => setDeleting(false)}
        >
          <p>
            <Text id="groups.delete.consequence" values={{ count: group.members }} />
          </p>
        </DeleteDialog>
      )}
    </div>
  )
}

type FormProps = Readonly<{
  group: GroupWithMembers
  directory: Directory
  disabledReason: string | undefined
}>

function GroupForm({ group, directory, disabledReason }: FormProps) {
  const text = useText()
  const client = useQueryClient()
  const reasonId = useId()
  const showToast = useToasts((toasts) => toasts.show)
  const [tried, setTried] = useState(false)
  const path = { id: group.id }
  const form = useReplacement({
    thing: group,
    draftOf: groupDraft,
    put: async (draft, revision) => {
      const body = { ...groupSettings(draft), revision }
      const saved = await ask(api.PUT('/api/v1/iam/groups/{id}', { params: { path }, body }))
      return { ...saved, people: group.people }
    },
    again: () => client.query({ ...groupQuery(group.id), staleTime: 0 }),
    onSaved: async (saved) => {
      client.setQueryData(groupQuery(group.id).queryKey, saved)
      setTried(false)
      showToast('done', text('groups.saved', { name: directory.nameOf(saved.name) }))
      await client.invalidateQueries({ queryKey: groupsQuery.queryKey })
    },
  })
  const problems = nameProblems(form.draft)
  const wrong = Object.keys(problems).length > 0
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!disabledReason && form.dirty && !wrong) form.save.mutate(form.draft)
  }
  return (
    <form className={formStyles.form} onSubmit={submit} noValidate>
      {disabledReason && (
        <div id={reasonId}>
          <Notice tone="info">{disabledReason}</Notice>
        </div>
      )}
      <GroupFields
        draft={form.draft}
        problems={tried ? problems : {}}
        set={form.set}
        directory={directory}
        disabledBy={disabledReason ? reasonId : undefined}
        disabledReason={disabledReason}
      />
      <SaveBar
        form={form}
        labels={GROUP_LABELS}
        disabledReason={disabledReason}
        wrong={tried && wrong}
      />
    </form>
  )
}
