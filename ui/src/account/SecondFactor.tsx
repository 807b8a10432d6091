import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ask } from '@/api/client'
import { secondFactorQuery } from '@/api/queries'
import { Text } from '@/i18n/Text'
import { useText } from '@/i18n/use-text'
import { FailureNotice } from '@/people/FailureNotice'
import { Button } from '@/ui/Button'
import { Dialog } from '@/ui/Dialog'
import { Tag } from '@/ui/Tag'
import styles from './account.module.css'
import { RecoveryCodes } from './RecoveryCodes'
import { RemoveFactorDialog } from './RemoveFactorDialog'
import { SetUpFactorDialog } from './SetUpFactorDialog'

/** Fewer codes than this are a reason to make new ones. */
const FEW = 3

/** Whether a code is asked for besides the password, and the way in and out of it. */
export function SecondFactor() {
  const text = useText()
  const client = useQueryClient()
  const [removing, setRemoving] = useState(false)
  const { data: state, error } = useQuery(secondFactorQuery)
  const settle = () => client.invalidateQueries({ queryKey: secondFactorQuery.queryKey })
  const offer = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/iam/me/second-factor')),
    gcTime: 0,
  })
  const renew = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/iam/me/recovery-codes')),
    gcTime: 0,
    onSettled: settle,
  })
  if (!state) return <FailureNotice error={error} />
  const left = state.recovery_codes_left
  return (
    <>
      <p className={styles.state}>
        <Tag tone={state.enabled ? 'live' : 'warn'} icon={state.enabled ? 'check' : 'minus'}>
          <Text id={state.enabled ? 'account.factor.on' : 'account.factor.off'} />
        </Tag>
        {state.enabled && <span>{text('account.codes.left', { count: left })}</span>}
      </p>
      {state.enabled && left < FEW && (
        <p className={styles.none}>
          <Text id="account.codes.few" />
        </p>
      )}
      <FailureNotice error={offer.error ?? renew.error} />
      <div className={styles.actions}>
        {state.enabled ? (
          <>
            <Button busy={renew.isPending} onClick={() => renew.mutate()}>
              {text('account.codes.renew')}
            </Button>
            <Button look="danger" onClick={() => setRemoving(true)}>
              {text('account.factor.remove')}
            </Button>
          </>
        ) : (
          <Button look="primary" busy={offer.isPending} onClick={() => offer.mutate()}>
            {text('account.factor.setUp')}
          </Button>
        )}
      </div>
      {offer.data && (
        <SetUpFactorDialog
          offer={offer.data}
          onSet={() => void settle()}
          onClose={() => offer.reset()}
        />
      )}
      {renew.data && (
        <Dialog
          title={text('account.codes.title')}
          closeLabel={text('common.close')}
          onClose={() => renew.reset()}
          actions={
            <Button look="primary" onClick={() => renew.reset()}>
              {text('account.codes.kept')}
            </Button>
          }
        >
          <p>
            <Text id="account.codes.replaced" />
          </p>
          <RecoveryCodes codes={renew.data.codes} />
        </Dialog>
      )}
      {removing && (
        <RemoveFactorDialog onDone={() => void settle()} onClose={() => setRemoving(false)} />
      )}
    </>
  )
}
