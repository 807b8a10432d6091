import { useState } from 'react'
import { useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'

type Props = Readonly<{ text: string }>

/** Puts a text on the clipboard, and says whether it is there. */
export function CopyButton({ text: copied }: Props) {
  const text = useText()
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle')
  const copy = () => {
    navigator.clipboard.writeText(copied).then(
      () => setState('done'),
      () => setState('failed'),
    )
  }
  return (
    <>
      <Button icon={state === 'done' ? 'check' : 'copy'} onClick={copy}>
        {text(state === 'done' ? 'account.copied' : 'account.copy')}
      </Button>
      {state === 'failed' && <span role="status">{text('account.copyFailed')}</span>}
    </>
  )
}
