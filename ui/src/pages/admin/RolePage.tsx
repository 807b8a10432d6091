import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { useNavigate, useParams } from 'react-router'
import { can } from '@/access/can'
import { api, ask } from '@/api/client'
import type { Me, Role } from '@/api/model'
import { rolesQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { DeleteDialog } from '@/people/DeleteDialog'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { nameOfDraft, nameProblems, ROLE_LABELS, roleDraft } from '@/people/group'
import { NameFields } from '@/people/NameFields'
import { RulesEditor } from '@/people/RulesEditor'
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

export function RolePage() {
  const { code = '' } = useParams()
  const { data: roles, error } = useQuery(rolesQuery)
  const { data: me } = useQuery(sessionQuery)
  if (!roles) return error ? <FailureNotice error={error} /> : <Waiting />
  const role = roles.find((one) => one.code === code)
  if (!role) return <NotFoundPage />
  return me ? <RoleDetails key={code} role={role} me={me} /> : null
}

type Props = Readonly<{ role: Role; me: Me }>

function RoleDetails({ role, me }: Props) {
  const text = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const directory = useDirectory()
  const showToast = useToasts((toasts) => toasts.show)
  const [deleting, setDeleting] = useState(false)
  const name = directory.nameOf(role.name)
  useTitle(name, text('common.product'))
  const mayNot = role.built_in
    ? text('groups.roles.builtInReason')
    : can(me, { kind: 'group', action: 'admin' })
      ? undefined
      : text('groups.roles.mayNot')
  return (
    <div className={styles.page}>
      <BackLink to={paths.roles()} label={text('groups.roles.title')} />
      <header className={styles.head}>
        <div>
          <h1 className={styles.title}>
            <bdi>{name}</bdi>
          </h1>
          <p className={styles.subtitle}>
            <Code>{role.code}</Code>
          </p>
        </div>
        <Button look="danger" disabledReason={mayNot} onClick={() => setDeleting(true)}>
          {text('groups.roles.delete')}
        </Button>
      </header>
      <Card title={text('groups.roles.details')} narrow>
        <RoleForm role={role} directory={directory} disabledReason={mayNot} />
      </Card>
      {deleting && (
        <DeleteDialog
          title={text('groups.delete.title', { name })}
          remove={() =>
            ask(api.DELETE('/api/v1/iam/roles/{code}', { params: { path: { code: role.code } } }))
          }
          onDone={async () => {
            showToast('done', text('groups.delete.done', { name }))
            await navigate(paths.roles())
            await client.invalidateQueries({ queryKey: rolesQuery.queryKey })
          }}
          onClose={() => setDeleting(false)}
        >
          <p>
            <Text id="groups.roles.deleteConsequence" />
          </p>
        </DeleteDialog>
      )}
    </div>
  )
}

type FormProps = Readonly<{
  role: Role
  directory: Directory
  disabledReason: string | undefined
}>

function RoleForm({ role, directory, disabledReason }: FormProps) {
  const text = useText()
  const client = useQueryClient()
  const reasonId = useId()
  const showToast = useToasts((toasts) => toasts.show)
  const [tried, setTried] = useState(false)
  const path = { code: role.code }
  const form = useReplacement({
    thing: role,
    draftOf: roleDraft,
    put: (draft, revision) => {
      const body = { name: nameOfDraft(draft), permissions: [...draft.permissions], revision }
      return ask(api.PUT('/api/v1/iam/roles/{code}', { params: { path }, body }))
    },
    again: async () => {
      const roles = await client.query({ ...rolesQuery, staleTime: 0 })
      return roles.find((one) => one.code === role.code) ?? role
    },
    onSaved: async (saved) => {
      setTried(false)
      showToast('done', text('groups.saved', { name: directory.nameOf(saved.name) }))
      await client.invalidateQueries({ queryKey: rolesQuery.queryKey })
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
      <NameFields
        draft={form.draft}
        problems={tried ? problems : {}}
        set={form.set}
        disabledBy={disabledReason ? reasonId : undefined}
      />
      <RulesEditor
        title={text('groups.field.permissions')}
        hint={text('groups.roles.permissionsHint')}
        none={text('groups.noPermissions')}
        rules={form.draft.permissions}
        onChange={(permissions) => form.set({ permissions })}
        directory={directory}
        disabledReason={disabledReason}
      />
      <SaveBar
        form={form}
        labels={ROLE_LABELS}
        disabledReason={disabledReason}
        wrong={tried && wrong}
      />
    </form>
  )
}
