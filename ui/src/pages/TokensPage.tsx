import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { ConfirmDialog } from '@/account/ConfirmDialog'
import { NewTokenDialog } from '@/account/NewTokenDialog'
import { TokenList } from '@/account/TokenList'
import { can, canSome } from '@/access/can'
import { api, ask } from '@/api/client'
import type { ApiToken } from '@/api/model'
import { apiTokensQuery, sessionQuery, usersQuery } from '@/api/queries'
import { useTitle } from '@/hooks/use-title'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { FailureNotice } from '@/people/FailureNotice'
import { useDirectory } from '@/people/use-directory'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'
import { SelectField } from '@/ui/Field'
import admin from './admin/Admin.module.css'
import { BackLink } from './admin/BackLink'
import { Card } from './admin/Card'
import styles from './ProfilePage.module.css'
import { Waiting } from './Waiting'

/** What machines sign in with: one's own, and for those who look after tokens anybody's. */
export function TokensPage() {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [params, setParams] = useSearchParams()
  const { data: me } = useQuery(sessionQuery)
  const [making, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<ApiToken>()
  const mayOthers = can(me, { kind: 'token', action: 'admin' })
  const whose = mayOthers ? (params.get('user') ?? undefined) : undefined
  const other = whose === me?.user_id ? undefined : whose
  const query = apiTokensQuery(other)
  const { data: tokens, error } = useQuery(query)
  useTitle(text('account.tokens.title'), text('common.product'))
  const revoke = useMutation({
    mutationFn: ({ id }: ApiToken) =>
      ask(api.DELETE('/api/v1/iam/api-tokens/{id}', { params: { path: { id } } })),
    onSuccess: (_, { name }) => {
      showToast('done', text('account.tokens.revoked', { name }))
      setRevoking(undefined)
    },
    onSettled: () => client.invalidateQueries({ queryKey: query.queryKey }),
  })
  return (
    <div className={styles.page}>
      <BackLink to={paths.profile()} label={text('profile.title')} />
      <header className={admin.head}>
        <h1 className={admin.title}>{text('account.tokens.title')}</h1>
        <Button
          look="primary"
          icon="plus"
          disabledReason={other ? text('account.tokens.onlyOwn') : undefined}
          onClick={() => setMaking(true)}
        >
          {text('account.tokens.new')}
        </Button>
      </header>
      <Card title={text('account.tokens.list')} hint={text('account.tokens.hint')} narrow>
        {mayOthers && canSome(me, 'user', 'view') && (
          <Whose
            user={other}
            onChange={(user) => setParams(user ? { user } : {}, { replace: true })}
          />
        )}
        {!tokens && (error ? <FailureNotice error={error} /> : <Waiting />)}
        {tokens?.length === 0 && <EmptyState icon="host" title={text('account.tokens.none')} />}
        {tokens && (
          <TokenList
            tokens={tokens}
            onRevoke={(token) => {
              revoke.reset()
              setRevoking(token)
            }}
          />
        )}
      </Card>
      {making && <NewTokenDialog onClose={() => setMaking(false)} />}
      {revoking && (
        <ConfirmDialog
          title={text('account.tokens.revokeTitle', { name: revoking.name })}
          action={text('account.tokens.revoke')}
          busy={revoke.isPending}
          error={revoke.error}
          onConfirm={() => revoke.mutate(revoking)}
          onClose={() => setRevoking(undefined)}
        >
          <Text
            id="account.tokens.revokeConsequence"
            values={{ name: <bdi>{revoking.name}</bdi> }}
          />
        </ConfirmDialog>
      )}
    </div>
  )
}

type WhoseProps = Readonly<{ user: string | undefined; onChange: (user: string) => void }>

function Whose({ user, onChange }: WhoseProps) {
  const text = useText()
  const { compare } = useFormat()
  const directory = useDirectory()
  const { data: me } = useQuery(sessionQuery)
  const { data: people = [] } = useQuery(usersQuery)
  const options = people
    .filter((one) => one.id !== me?.user_id)
    .map((one) => ({ value: one.id, label: `${directory.personName(one)} (${one.login})` }))
    .sort((one, other) => compare(one.label, other.label))
  return (
    <SelectField
      label={text('account.tokens.whose')}
      value={user ?? ''}
      options={[{ value: '', label: text('account.tokens.mine') }, ...options]}
      onChange={onChange}
    />
  )
}
