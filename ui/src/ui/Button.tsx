import { useId, type ButtonHTMLAttributes, type ReactNode } from 'react'
import type { AriaLabel } from './aria'
import styles from './Button.module.css'
import { classNames } from './class-names'
import { Icon, type IconName } from './Icon'
import { Spinner } from './Spinner'
import { Tooltip } from './Tooltip'

type Common = Readonly<{
  onClick?: () => void
  type?: 'button' | 'submit'
  look?: 'plain' | 'primary' | 'danger' | 'ghost'
  icon?: IconName
  /** Why it cannot be used now. It stays in reach, so that the reason can be read. */
  disabledReason?: string | undefined
  /** Its action is under way. */
  busy?: boolean | undefined
}>

type ButtonProps = Common & Readonly<{ children: ReactNode }>

export function Button({ children, icon, busy, ...rest }: ButtonProps) {
  return (
    <BareButton busy={busy} {...rest}>
      {busy ? <Spinner size={14} /> : icon && <Icon name={icon} />}
      <span>{children}</span>
    </BareButton>
  )
}

type IconButtonProps = Common &
  AriaLabel &
  Readonly<{
    icon: IconName
    pressed?: boolean | undefined
    align?: 'start' | 'centre' | 'end'
    side?: 'above' | 'below'
  }>

/** A button without text; its label shows as a tooltip. */
export function IconButton({ icon, align, side, pressed, ...rest }: IconButtonProps) {
  return (
    <BareButton
      square
      aria-pressed={pressed}
      tooltip={rest['aria-label']}
      tooltipAlign={align}
      tooltipSide={side}
      {...rest}
    >
      <Icon name={icon} />
    </BareButton>
  )
}

type BareProps = Common &
  Pick<ButtonHTMLAttributes<HTMLButtonElement>, 'aria-label' | 'aria-labelledby' | 'aria-pressed'> &
  Readonly<{
    square?: boolean
    children: ReactNode
    tooltip?: string | undefined
    tooltipAlign?: 'start' | 'centre' | 'end' | undefined
    tooltipSide?: 'above' | 'below' | undefined
  }>

function BareButton(props: BareProps) {
  const { onClick, type = 'button', look = 'plain', disabledReason, busy, square } = props
  const reasonId = useId()
  const unusable = disabledReason !== undefined || busy
  return (
    // Always there, so that the button stays the same element, and keeps the focus, when a reason
    // comes or goes.
    <Tooltip
      id={disabledReason ? reasonId : undefined}
      text={disabledReason ?? props.tooltip}
      align={props.tooltipAlign ?? 'centre'}
      side={props.tooltipSide ?? 'below'}
    >
      <button
        // A submit button that may not be used must not submit by Enter either.
        type={unusable ? 'button' : type}
        className={classNames(styles.button, styles[look], square && styles.square)}
        aria-disabled={unusable ? true : undefined}
        aria-busy={busy ? true : undefined}
        aria-describedby={disabledReason ? reasonId : undefined}
        aria-label={props['aria-label']}
        aria-labelledby={props['aria-labelledby']}
        aria-pressed={props['aria-pressed']}
        onClick={unusable ? undefined : onClick}
      >
        {props.children}
      </button>
    </Tooltip>
  )
}
