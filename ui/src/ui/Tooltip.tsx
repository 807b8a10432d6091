import { useRef, type ReactNode } from 'react'
import { classNames } from './class-names'
import styles from './Tooltip.module.css'

type Props = Readonly<{
  /** Given when the text describes the child, so that the child can point at it. */
  id?: string | undefined
  /** Nothing appears without one. */
  text: ReactNode
  align?: 'start' | 'centre' | 'end'
  side?: 'above' | 'below'
  children: ReactNode
}>

/** In CSS pixels, between a bubble and the edge of the page. */
const MARGIN = 8

/** Moves a bubble that would be cut off by the edge of the page. */
function keepInside(bubble: HTMLElement | null) {
  if (!bubble) return
  bubble.style.translate = ''
  const { left, right, width } = bubble.getBoundingClientRect()
  const room = document.documentElement.clientWidth - MARGIN
  const shift = left < MARGIN || width > room ? MARGIN - left : Math.min(0, room - right)
  if (shift !== 0) bubble.style.translate = `${Math.round(shift)}px`
}

/** A sentence that appears while its child is pointed at or focused. */
export function Tooltip({ id, text, align = 'centre', side = 'below', children }: Props) {
  const bubble = useRef<HTMLSpanElement>(null)
  const place = () => keepInside(bubble.current)
  return (
    // Nothing to operate: it only makes room for its own sentence.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <span className={styles.anchor} onPointerEnter={place} onFocus={place}>
      {children}
      {text !== undefined && (
        <span
          ref={bubble}
          id={id}
          role="tooltip"
          aria-hidden={id ? undefined : true}
          className={classNames(styles.bubble, styles[align], styles[side])}
        >
          {text}
        </span>
      )}
    </span>
  )
}
