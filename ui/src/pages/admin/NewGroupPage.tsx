import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { useNavigate } from 'react-router'
import { canSome } from '@/access/can'
import { api, ask } from '@/api/client'
import { groupsQuery, sessionQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { EMPTY_GROUP, groupSettings, nameProblems, type GroupDraft } from '@/people/group'
import { GroupFields } from '@/people/GroupFields'
import { useDirectory } from '@/people/use-directory'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import styles from './Admin.module.css'
import { BackLink } from './BackLink'
import { Card } from './Card'

export function NewGroupPage() {
  const text = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const directory = useDirectory()
  const showToast = useToasts((toasts) => toasts.show)
  const { data: me } = useQuery(sessionQuery)
  const [draft, setDraft] = useState<GroupDraft>({ ...EMPTY_GROUP, agency: me?.agency ?? '' })
  const [tried, setTried] = useState(false)
  useTitle(text('groups.newTitle'), text('common.product'))
  const mayNot = canSome(me, 'group', 'admin') ? undefined : text('groups.mayNotManage')
  const problems = nameProblems(draft)
  const wrong = Object.keys(problems).length > 0
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/iam/groups', { body: groupSettings(draft) })),
    onSuccess: async (group) => {
      showToast('done', text('groups.created', { name: directory.nameOf(group.name) }))
      await client.invalidateQueries({ queryKey: groupsQuery.queryKey })
      await navigate(paths.group(group.id))
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!mayNot && !wrong && !create.isPending) create.mutate()
  }
  return (
    <div className={styles.page}>
      <BackLink to={paths.groups()} label={text('groups.title')} />
      <h1 className={styles.title}>{text('groups.newTitle')}</h1>
      <Card title={text('groups.details')} narrow>
        <form className={formStyles.form} onSubmit={submit} noValidate>
          <GroupFields
            draft={draft}
            problems={tried ? problems : {}}
            set={(part) => setDraft({ ...draft, ...part })}
            directory={directory}
            disabledBy={undefined}
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
              {text('groups.create')}
            </Button>
          </div>
        </form>
      </Card>
    </div>
  )
}
