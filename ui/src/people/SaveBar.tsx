import type { MessageId } from '@/i18n/messages'
import { useText } from '@/i18n/use-text'
import { Button } from '@/ui/Button'
import { ConflictNotice } from './ConflictNotice'
import { FailureNotice } from './FailureNotice'
import styles from './Form.module.css'
import type { Difference, Draft } from './merging'

type Props<D extends Draft> = Readonly<{
  form: Readonly<{
    dirty: boolean
    conflict: boolean
    differences: readonly Difference<D>[]
    save: Readonly<{ error: unknown; isPending: boolean }>
  }>
  labels: Readonly<Record<keyof D, MessageId>>
  disabledReason: string | undefined
  /** Something is marked. */
  wrong: boolean
}>

/** The end of a form that replaces something: what happened, and the button. */
export function SaveBar<D extends Draft>({ form, labels, disabledReason, wrong }: Props<D>) {
  const text = useText()
  const unusable =
    disabledReason ??
    (form.dirty ? undefined : text('people.unchanged')) ??
    (wrong ? text('people.invalid') : undefined)
  return (
    <>
      {form.conflict ? (
        <ConflictNotice differences={form.differences} labels={labels} />
      ) : (
        <FailureNotice error={form.save.error} />
      )}
      <div className={styles.actions}>
        <Button
          type="submit"
          look="primary"
          icon="check"
          busy={form.save.isPending}
          disabledReason={unusable}
        >
          {text(form.conflict ? 'people.saveAnyway' : 'people.save')}
        </Button>
      </div>
    </>
  )
}
