import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { useNavigate } from 'react-router'
import { can } from '@/access/can'
import { api, ask } from '@/api/client'
import { rolesQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { isRoleCode, nameOfDraft, nameProblems, type RoleDraft } from '@/people/group'
import { NameFields } from '@/people/NameFields'
import { RulesEditor } from '@/people/RulesEditor'
import { useDirectory } from '@/people/use-directory'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import styles from './Admin.module.css'
import { BackLink } from './BackLink'
import { Card } from './Card'

export function NewRolePage() {
  const text = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const directory = useDirectory()
  const showToast = useToasts((toasts) => toasts.show)
  const { data: me } = useQuery(sessionQuery)
  const [code, setCode] = useState('')
  const [draft, setDraft] = useState<RoleDraft>({ name_en: '', name_ar: '', permissions: [] })
  const [tried, setTried] = useState(false)
  useTitle(text('groups.roles.newTitle'), text('common.product'))
  const mayNot = can(me, { kind: 'group', action: 'admin' })
    ? undefined
    : text('groups.roles.mayNot')
  const problems = nameProblems(draft)
  const wrong = Object.keys(problems).length > 0 || !isRoleCode(code)
  const create = useMutation({
    mutationFn: () =>
      ask(
        api.POST('/api/v1/iam/roles', {
          body: { code, name: nameOfDraft(draft), permissions: [...draft.permissions] },
        }),
      ),
    onSuccess: async (role) => {
      showToast('done', text('groups.created', { name: directory.nameOf(role.name) }))
      await client.invalidateQueries({ queryKey: rolesQuery.queryKey })
      await navigate(paths.role(role.code))
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!mayNot && !wrong && !create.isPending) create.mutate()
  }
  return (
    <div className={styles.page}>
      <BackLink to={paths.roles()} label={text('groups.roles.title')} />
      <h1 className={styles.title}>{text('groups.roles.newTitle')}</h1>
      <Card title={text('groups.roles.details')} narrow>
        <form className={formStyles.form} onSubmit={submit} noValidate>
          <TextField
            label={text('groups.field.code')}
            hint={text('groups.roles.codeHint')}
            error={tried && !isRoleCode(code) ? text('groups.problem.roleCode') : undefined}
            dir="ltr"
            maxLength={32}
            value={code}
            onChange={(typed) => setCode(typed.toLowerCase())}
          />
          <NameFields
            draft={draft}
            problems={tried ? problems : {}}
            set={(part) => setDraft({ ...draft, ...part })}
          />
          <RulesEditor
            title={text('groups.field.permissions')}
            hint={text('groups.roles.permissionsHint')}
            none={text('groups.noPermissions')}
            rules={draft.permissions}
            onChange={(permissions) => setDraft({ ...draft, permissions })}
            directory={directory}
            disabledReason={undefined}
          />
          <FailureNotice error={create.error} />
          <div className={formStyles.actions}>
            <Button
              type="submit"
              look="primary"
              icon="check"
              busy={create.isPending}
              disabledReason={mayNot ?? (tried && wrong ? text('people.invalid') : undefined)}
            >
              {text('groups.roles.create')}
            </Button>
          </div>
        </form>
      </Card>
    </div>
  )
}
