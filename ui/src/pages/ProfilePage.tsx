import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { useNavigate } from 'react-router'
import { OwnSessions } from '@/account/OwnSessions'
import { SecondFactor } from '@/account/SecondFactor'
import { useLanguageChoice } from '@/account/use-language-choice'
import { api, ask } from '@/api/client'
import type { User } from '@/api/model'
import { forget, ownUserQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { EffectivePermissions } from '@/people/EffectivePermissions'
import { FailureNotice } from '@/people/FailureNotice'
import formStyles from '@/people/Form.module.css'
import { NewPasswordFields, passwordProblem } from '@/people/NewPasswordFields'
import { useDirectory, type Directory } from '@/people/use-directory'
import { usePreferences } from '@/stores/preferences'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import { SelectField, TextField } from '@/ui/Field'
import admin from './admin/Admin.module.css'
import { Card } from './admin/Card'
import styles from './ProfilePage.module.css'
import { Waiting } from './Waiting'

/** One's own account. */
export function ProfilePage() {
  const text = useText()
  const navigate = useNavigate()
  const directory = useDirectory()
  const { data: user, error } = useQuery(ownUserQuery)
  useTitle(text('profile.title'), text('common.product'))
  return (
    <div className={styles.page}>
      <h1 className={admin.title}>{text('profile.title')}</h1>
      {!user && (error ? <FailureNotice error={error} /> : <Waiting />)}
      {user && (
        <div className={admin.columns}>
          <div className={admin.side}>
            <Card title={text('profile.account')} hint={text('profile.accountHint')}>
              <Account user={user} directory={directory} />
            </Card>
            <Card title={text('profile.mayDo')} hint={text('access.effective.hint')}>
              <EffectivePermissions user={user} directory={directory} />
            </Card>
            <Card title={text('account.sessions.title')} hint={text('account.sessions.hint')}>
              <OwnSessions />
            </Card>
            <Card title={text('account.tokens.title')} hint={text('account.tokens.hint')}>
              <div className={formStyles.actions}>
                <Button onClick={() => void navigate(paths.tokens())}>
                  {text('account.tokens.open')}
                </Button>
              </div>
            </Card>
          </div>
          <div className={admin.side}>
            <Card title={text('profile.look')} hint={text('profile.lookHint')}>
              <Look />
            </Card>
            <Card title={text('profile.password')} hint={text('profile.passwordHint')}>
              <OwnPassword login={user.login} />
            </Card>
            <Card title={text('account.factor.title')} hint={text('account.factor.hint')}>
              <SecondFactor />
            </Card>
          </div>
        </div>
      )}
    </div>
  )
}

type AccountProps = Readonly<{ user: User; directory: Directory }>

function Account({ user, directory }: AccountProps) {
  const text = useText()
  const facts = [
    ['people.field.displayName', user.display_name],
    ['people.field.arabicName', user.arabic_name],
    [
      'people.field.agency',
      user.agency ? directory.agencyName(user.agency) : text('people.noAgency'),
    ],
    ['people.field.department', user.department],
    ['people.field.section', user.section],
  ] as const
  const codes = [
    ['people.field.login', user.login],
    ['people.field.email', user.email],
    ['people.field.employeeNumber', user.employee_number],
  ] as const
  return (
    <dl className={admin.facts}>
      {codes.map(
        ([label, value]) =>
          value && (
            <Fact key={label} label={text(label)}>
              <Code>{value}</Code>
            </Fact>
          ),
      )}
      {facts.map(
        ([label, value]) =>
          value && (
            <Fact key={label} label={text(label)}>
              <bdi>{value}</bdi>
            </Fact>
          ),
      )}
      <Fact label={text('people.field.roles')}>
        {user.roles.map((code) => (
          <bdi key={code} className={styles.item}>
            {directory.roleName(code)}
          </bdi>
        ))}
      </Fact>
      <Fact label={text('people.groups.title')}>
        {user.groups.length === 0 && text('people.groups.none')}
        {user.groups.map((group) => (
          <bdi key={group.id} className={styles.item}>
            {directory.nameOf(group.name)}
          </bdi>
        ))}
      </Fact>
    </dl>
  )
}

type FactProps = Readonly<{ label: string; children: React.ReactNode }>

function Fact({ label, children }: FactProps) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Look() {
  const text = useText()
  const { language, theme, setTheme } = usePreferences()
  const chooseLanguage = useLanguageChoice()
  return (
    <div className={formStyles.pair}>
      <SelectField
        label={text('profile.language')}
        value={language}
        options={[
          { value: 'en', label: text('profile.english') },
          { value: 'ar', label: text('profile.arabic') },
        ]}
        onChange={chooseLanguage}
      />
      <SelectField
        label={text('profile.theme')}
        value={theme}
        options={[
          { value: 'dark', label: text('common.theme.dark') },
          { value: 'light', label: text('common.theme.light') },
        ]}
        onChange={setTheme}
      />
    </div>
  )
}

type PasswordProps = Readonly<{ login: string }>

/** The old one proves that it is not somebody else at an unlocked screen. */
function OwnPassword({ login }: PasswordProps) {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [old, setOld] = useState('')
  const [password, setPassword] = useState('')
  const [repeated, setRepeated] = useState('')
  const [tried, setTried] = useState(false)
  const change = useMutation({
    mutationFn: () =>
      ask(
        api.PUT('/api/v1/iam/me/password', {
          body: { old_password: old, new_password: password },
        }),
      ),
    onSuccess: () => {
      showToast('done', text('profile.passwordChanged'))
      // All sessions have ended, this one too.
      forget(client)
    },
    onError: () => setOld(''),
  })
  const slip = passwordProblem(password, repeated)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setTried(true)
    if (old !== '' && !slip && !change.isPending) change.mutate()
  }
  return (
    <form className={formStyles.form} onSubmit={submit} noValidate>
      {/* So that a password manager knows whose password it is. */}
      <input type="hidden" name="login" autoComplete="username" value={login} />
      <TextField
        label={text('profile.oldPassword')}
        error={tried && old === '' && !change.error ? text('profile.oldMissing') : undefined}
        type="password"
        autoComplete="current-password"
        dir="ltr"
        maxLength={1024}
        value={old}
        onChange={setOld}
      />
      <NewPasswordFields
        password={password}
        repeated={repeated}
        problem={tried ? slip : undefined}
        onPassword={setPassword}
        onRepeated={setRepeated}
      />
      <FailureNotice error={change.error} />
      <div className={formStyles.actions}>
        <Button type="submit" look="primary" busy={change.isPending}>
          <Text id="profile.changePassword" />
        </Button>
      </div>
    </form>
  )
}
