import { useId, type InputHTMLAttributes, type ReactNode } from 'react'
import styles from './Field.module.css'

type FieldProps = Readonly<{
  label: string
  /** What it does or what to write, in a sentence. */
  hint?: ReactNode
  /** What is wrong with the value. */
  error?: string | undefined
  /** It cannot be changed now; the element of this id says why. */
  disabledBy?: string | undefined
}>

type Wiring = Readonly<{
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
  'aria-disabled': true | undefined
}>

type FrameProps = FieldProps & Readonly<{ children: (wiring: Wiring) => ReactNode }>

/** Label, control and sentences, tied together for those who hear the page. */
export function Field({ label, hint, error, disabledBy, children }: FrameProps) {
  const id = useId()
  const notes = [hint ? `${id}-hint` : '', error ? `${id}-error` : '', disabledBy ?? ''].filter(
    Boolean,
  )
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      {children({
        id,
        'aria-describedby': notes.join(' ') || undefined,
        'aria-invalid': error ? true : undefined,
        'aria-disabled': disabledBy ? true : undefined,
      })}
      {hint && (
        <div id={`${id}-hint`} className={styles.hint}>
          {hint}
        </div>
      )}
      {error && (
        <p id={`${id}-error`} className={styles.error}>
          {error}
        </p>
      )}
    </div>
  )
}

type TextFieldProps = FieldProps &
  Pick<
    InputHTMLAttributes<HTMLInputElement>,
    'type' | 'autoComplete' | 'inputMode' | 'maxLength' | 'name' | 'list' | 'dir' | 'required'
  > &
  Readonly<{ value: string; onChange: (value: string) => void }>

export function TextField(props: TextFieldProps) {
  const { label, hint, error, disabledBy, value, onChange, ...input } = props
  return (
    <Field label={label} hint={hint} error={error} disabledBy={disabledBy}>
      {(wiring) => (
        <input
          {...input}
          {...wiring}
          className={styles.control}
          readOnly={disabledBy !== undefined}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}

export type Option<T extends string> = Readonly<{ value: T; label: string }>

type SelectFieldProps<T extends string> = FieldProps &
  Readonly<{ value: T; options: readonly Option<T>[]; onChange: (value: T) => void }>

export function SelectField<T extends string>(props: SelectFieldProps<T>) {
  const { label, hint, error, disabledBy, value, options, onChange } = props
  return (
    <Field label={label} hint={hint} error={error} disabledBy={disabledBy}>
      {(wiring) => (
        <select
          {...wiring}
          className={styles.control}
          // A select has no read-only state: one that may not be changed offers only its value.
          value={value}
          onChange={(event) => onChange(event.target.value as T)}
        >
          {options
            .filter((option) => !disabledBy || option.value === value)
            .map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
        </select>
      )}
    </Field>
  )
}
