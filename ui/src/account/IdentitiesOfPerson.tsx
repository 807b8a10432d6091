import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ask } from '@/api/client'
import type { LinkedIdentity, User } from '@/api/model'
import { identitiesQuery, sessionsOfQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useFormat, useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Code } from '@/ui/Code'
import styles from './account.module.css'
import { ConfirmDialog } from './ConfirmDialog'
import { LinkIdentityDialog } from './LinkIdentityDialog'

type Props = Readonly<{ user: User; name: string; disabledReason: string | undefined }>

/** By what issuers outside know somebody; each of them opens the account as a password does. */
export function IdentitiesOfPerson({ user, name, disabledReason }: Props) {
  const text = useText()
  const client = useQueryClient()
  const showToast = useToasts((toasts) => toasts.show)
  const [open, setOpen] = useState<'link' | 'unlink'>()
  const query = identitiesQuery(user.id)
  const { data: identities, error } = useQuery(query)
  const unlink = useMutation({
    mutationFn: () =>
      ask(api.DELETE('/api/v1/iam/users/{id}/identities', { params: { path: { id: user.id } } })),
    onSuccess: () => {
      showToast('done', text('account.identities.unlinked', { name }))
      setOpen(undefined)
    },
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: query.queryKey }),
        // All sessions have ended with them.
        client.invalidateQueries({ queryKey: sessionsOfQuery(user.id).queryKey }),
      ]),
  })
  const none = identities?.length === 0 ? text('account.identities.none') : undefined
  return (
    <>
      {none && <p className={styles.none}>{none}</p>}
      <ul className={styles.list}>
        {identities?.map((identity) => (
          <Identity key={`${identity.issuer} ${identity.subject}`} identity={identity} />
        ))}
      </ul>
      <FailureNotice error={error} />
      <div className={styles.actions}>
        <Button disabledReason={disabledReason} onClick={() => setOpen('link')}>
          {text('account.identities.link')}
        </Button>
        <Button disabledReason={disabledReason ?? none} onClick={() => setOpen('unlink')}>
          {text('account.identities.unlink')}
        </Button>
      </div>
      {open === 'link' && (
        <LinkIdentityDialog user={user} name={name} onClose={() => setOpen(undefined)} />
      )}
      {open === 'unlink' && (
        <ConfirmDialog
          title={text('account.identities.unlinkTitle', { name })}
          action={text('account.identities.unlinkAction')}
          busy={unlink.isPending}
          error={unlink.error}
          onConfirm={() => unlink.mutate()}
          onClose={() => setOpen(undefined)}
        >
          <Text id="account.identities.unlinkConsequence" values={{ name: <bdi>{name}</bdi> }} />
        </ConfirmDialog>
      )}
    </>
  )
}

type IdentityProps = Readonly<{ identity: LinkedIdentity }>

function Identity({ identity }: IdentityProps) {
  const format = useFormat()
  const when = <bdi>{format.dateTime(Date.parse(identity.linked_at))}</bdi>
  return (
    <li className={styles.line}>
      <div className={styles.what}>
        <p className={styles.name}>
          <Code>{identity.subject}</Code>
        </p>
        <p className={styles.facts}>
          <Code>{identity.issuer}</Code>
          <span>
            <Text id="account.identities.since" values={{ when }} />
          </span>
        </p>
      </div>
    </li>
  )
}
