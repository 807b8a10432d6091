import { useId, type ReactNode } from 'react'
import styles from './CheckboxList.module.css'

export type Choice = Readonly<{ value: string; label: ReactNode; hint?: ReactNode }>

type Props = Readonly<{
  legend: string
  choices: readonly Choice[]
  chosen: readonly string[]
  onChange: (chosen: string[]) => void
  /** They cannot be changed now; the element of this id says why. */
  disabledBy?: string | undefined
  /** In place of choices, when there are none. */
  none: string
}>

/** Any number of some things. */
export function CheckboxList(props: Props) {
  const { legend, choices, chosen, onChange, disabledBy, none } = props
  const id = useId()
  const toggle = (value: string, on: boolean) => {
    if (!disabledBy) onChange(on ? [...chosen, value] : chosen.filter((one) => one !== value))
  }
  return (
    <fieldset className={styles.list}>
      <legend className={styles.legend}>{legend}</legend>
      {choices.length === 0 && <p className={styles.hint}>{none}</p>}
      {choices.map(({ value, label, hint }) => (
        <div key={value} className={styles.choice}>
          <input
            type="checkbox"
            id={`${id}-${value}`}
            className={styles.box}
            aria-disabled={disabledBy ? true : undefined}
            aria-describedby={
              [hint ? `${id}-${value}-hint` : '', disabledBy ?? ''].filter(Boolean).join(' ') ||
              undefined
            }
            checked={chosen.includes(value)}
            onChange={(event) => toggle(value, event.target.checked)}
          />
          <label htmlFor={`${id}-${value}`}>{label}</label>
          {hint && (
            <div id={`${id}-${value}-hint`} className={styles.hint}>
              {hint}
            </div>
          )}
        </div>
      ))}
    </fieldset>
  )
}
