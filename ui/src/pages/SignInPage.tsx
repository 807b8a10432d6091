import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { Navigate, useLocation, useSearchParams } from 'react-router'
import { ProviderSignIn } from '@/account/ProviderSignIn'
import { api, ask } from '@/api/client'
import { errorSentence, RefusedError } from '@/api/errors'
import type { Me, SignIn } from '@/api/model'
import {
  beginSession,
  errorsQuery,
  farewellQuery,
  sessionQuery,
  signInMethodsQuery,
} from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { useLanguage, useText } from '@/i18n/use-text'
import { Brand } from '@/layouts/Brand'
import { PreferenceButtons } from '@/layouts/PreferenceButtons'
import { paths } from '@/paths'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Notice } from '@/ui/Notice'
import styles from './SignInPage.module.css'
import { Waiting } from './Waiting'

export function SignInPage() {
  const text = useText()
  const language = useLanguage()
  const client = useQueryClient()
  const location = useLocation()
  const { data: me } = useQuery(sessionQuery)
  const { data: thrownOut } = useQuery(farewellQuery)
  const { data: methods, isPending: asking } = useQuery(signInMethodsQuery)
  const [localWanted, setLocalWanted] = useState(false)
  const providerRefusal = useProviderRefusal()
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [codeWanted, setCodeWanted] = useState(false)
  const enter = (who: Me) => beginSession(client, who)
  const signIn = useMutation({
    mutationFn: (body: SignIn) => ask(api.POST('/api/v1/session', { body })),
    onSuccess: (answer) => {
      setPassword('')
      if ('second_factor' in answer) setCodeWanted(true)
      else enter(answer)
    },
    onError: () => setPassword(''),
  })
  const finish = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/session/second-factor', { body: { code } })),
    onSuccess: enter,
    onError: (error) => {
      setCode('')
      if (error instanceof RefusedError && error.code === 'sign_in_expired') setCodeWanted(false)
    },
  })
  const refused = codeWanted ? finish.error : (signIn.error ?? finish.error)
  const busy = signIn.isPending || finish.isPending
  const provider = methods?.oidc
  // Kept out of the way where it is for the day on which the provider is gone, and that is not today.
  const localHidden =
    provider?.state !== 'unreachable' &&
    methods?.password.for_everybody === false &&
    Boolean(provider) &&
    !localWanted &&
    !codeWanted
  useTitle(text('session.title'), text('common.product'))
  if (me) return <Navigate to={returnPath(location.state)} replace />
  // A form that disappears again would take what was typed with it.
  if (asking) return <Waiting />
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (busy) return
    if (codeWanted) finish.mutate()
    else signIn.mutate({ login, password })
  }
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <PreferenceButtons />
      </header>
      <main className={styles.main}>
        <form className={styles.form} onSubmit={submit}>
          <Brand />
          <h1 className={styles.title}>{text('session.title')}</h1>
          {thrownOut && !refused && !codeWanted && (
            <Notice tone="warn">{text('session.ended')}</Notice>
          )}
          {providerRefusal && !refused && !codeWanted && (
            <Notice tone="bad">{providerRefusal}</Notice>
          )}
          {provider && !codeWanted && (
            <>
              <ProviderSignIn provider={provider} next={returnPath(location.state)} />
              {localHidden ? (
                <Button look="ghost" onClick={() => setLocalWanted(true)}>
                  {text('session.local.show')}
                </Button>
              ) : (
                <p className={styles.or}>{text('session.local.or')}</p>
              )}
            </>
          )}
          {localHidden ? null : codeWanted ? (
            <TextField
              key="code"
              label={text('session.code')}
              hint={text('session.codeHint')}
              name="code"
              autoComplete="one-time-code"
              dir="ltr"
              required
              value={code}
              onChange={setCode}
            />
          ) : (
            <>
              <TextField
                label={text('session.login')}
                name="login"
                autoComplete="username"
                dir="ltr"
                required
                value={login}
                onChange={setLogin}
              />
              <TextField
                label={text('session.password')}
                name="password"
                type="password"
                autoComplete="current-password"
                dir="ltr"
                required
                value={password}
                onChange={setPassword}
              />
            </>
          )}
          {refused && <Notice tone="bad">{errorSentence(refused, language, text)}</Notice>}
          {!localHidden && (
            <Button type="submit" look={provider && !codeWanted ? 'plain' : 'primary'} busy={busy}>
              {text('session.signIn')}
            </Button>
          )}
          {codeWanted && (
            <Button
              look="ghost"
              onClick={() => {
                setCodeWanted(false)
                setCode('')
                finish.reset()
              }}
            >
              {text('session.startAgain')}
            </Button>
          )}
          <p className={styles.help}>{text('session.help')}</p>
        </form>
      </main>
    </div>
  )
}

/** Why the way over the identity provider led back here: the address has the code of the error. */
function useProviderRefusal(): string | undefined {
  const language = useLanguage()
  const [params] = useSearchParams()
  const code = params.get('error')
  const { data: errors } = useQuery({ ...errorsQuery, enabled: code !== null })
  const known = errors?.find((one) => one.code === code)
  return language === 'ar' ? known?.message_ar : known?.message_en
}

/** Back to where one was sent here from; only inside this interface. */
function returnPath(state: unknown): string {
  const from =
    typeof state === 'object' && state !== null && 'from' in state ? state.from : undefined
  const inside = typeof from === 'string' && from.startsWith('/') && !from.startsWith('//')
  return inside ? from : paths.sites()
}
