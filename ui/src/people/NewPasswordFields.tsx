import { useText } from '@/i18n/use-text'
import { TextField } from '@/ui/Field'
import styles from './Form.module.css'
import { SHORTEST_PASSWORD } from './person'

export type PasswordProblem = 'short' | 'different'

/** Which password is good enough is for the coordinator to say; these would be slips. */
export function passwordProblem(password: string, repeated: string): PasswordProblem | undefined {
  if (password.length < SHORTEST_PASSWORD) return 'short'
  return password === repeated ? undefined : 'different'
}

type Props = Readonly<{
  password: string
  repeated: string
  problem: PasswordProblem | undefined
  onPassword: (password: string) => void
  onRepeated: (password: string) => void
}>

/** A new password, typed twice as it cannot be seen. */
export function NewPasswordFields({ password, repeated, problem, onPassword, onRepeated }: Props) {
  const text = useText()
  return (
    <div className={styles.pair}>
      <TextField
        label={text('people.password.new')}
        hint={text('people.password.hint', { count: SHORTEST_PASSWORD })}
        error={
          problem === 'short'
            ? text('people.password.short', { count: SHORTEST_PASSWORD })
            : undefined
        }
        type="password"
        autoComplete="new-password"
        dir="ltr"
        maxLength={1024}
        value={password}
        onChange={onPassword}
      />
      <TextField
        label={text('people.password.repeat')}
        error={problem === 'different' ? text('people.password.different') : undefined}
        type="password"
        autoComplete="new-password"
        dir="ltr"
        maxLength={1024}
        value={repeated}
        onChange={onRepeated}
      />
    </div>
  )
}
