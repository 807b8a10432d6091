import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type SubmitEvent } from 'react'
import { useNavigate } from 'react-router'
import { canSome } from '@/access/can'
import { api, ask } from '@/api/client'
import { sessionQuery, userQuery, usersQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { NewPasswordFields, passwordProblem } from '@/people/NewPasswordFields'
import { EMPTY, newUserOf, problemsOf, type PersonDraft } from '@/people/person'
import { PersonFields } from '@/people/PersonFields'
import { useDirectory } from '@/people/use-directory'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Notice } from '@/ui/Notice'
import styles from './Admin.module.css'
import { BackLink } from './BackLink'
import { Card } from './Card'

export function NewPersonPage() {
  const text = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const directory = useDirectory()
  const reasonId = useId()
  const showToast = useToasts((toasts) => toasts.show)
  const { data: me } = useQuery(sessionQuery)
  const [draft, setDraft] = useState<PersonDraft>({ ...EMPTY, agency: me?.agency ?? '' })
  const [password, setPassword] = useState('')
  const [repeated, setRepeated] = useState('')
  const [tried, setTried] = useState(false)
  useTitle(text('people.newTitle'), text('common.product'))
  const mayNot = canSome(me, 'user', 'admin') ? undefined : text('people.mayNotManage')
  const problems = problemsOf(draft)
  const slip = password === '' && repeated === '' ? undefined : passwordProblem(password, repeated)
  const wrong = Object.keys(problems).length > 0 || slip !== undefined
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/iam/users', { body: newUserOf(draft, password) })),
    onSuccess: async (user) => {
      client.setQueryData(userQuery(user.id).queryKey, user)
      showToast('done', text('people.created', { name: directory.personName(user) }))
      await client.invalidateQueries({ queryKey: usersQuery.queryKey, exact: true })
      await navigate(paths.person(user.id))
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (!mayNot && !wrong && !create.isPending) create.mutate()
  }
  return (
    <div className={styles.page}>
      <BackLink to={paths.people()} label={text('people.title')} />
      <h1 className={styles.title}>{text('people.newTitle')}</h1>
      <Card title={text('people.details')} narrow>
        <form className={formStyles.form} onSubmit={submit} noValidate>
          {mayNot && (
            <div id={reasonId}>
              <Notice tone="info">{mayNot}</Notice>
            </div>
          )}
          <PersonFields
            draft={draft}
            problems={tried ? problems : {}}
            set={(part) => setDraft({ ...draft, ...part })}
            directory={directory}
            disabledBy={mayNot ? reasonId : undefined}
            disabledReason={mayNot}
          />
          <fieldset className={formStyles.group}>
            <legend className={formStyles.legend}>{text('people.part.password')}</legend>
            <p className={styles.hint}>{text('people.password.optional')}</p>
            <NewPasswordFields
              password={password}
              repeated={repeated}
              problem={tried ? slip : undefined}
              onPassword={setPassword}
              onRepeated={setRepeated}
            />
          </fieldset>
          <FailureNotice error={create.error} />
          <div className={formStyles.actions}>
            <Button
              type="submit"
              look="primary"
              icon="check"
              busy={create.isPending}
              disabledReason={mayNot ?? (tried && wrong ? text('people.invalid') : undefined)}
            >
              {text('people.create')}
            </Button>
          </div>
        </form>
      </Card>
    </div>
  )
}
