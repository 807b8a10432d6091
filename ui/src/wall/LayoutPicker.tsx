import { useId, useRef, useState } from 'react'
import { useFormat, useText } from '@/i18n/use-text'
import { LAYOUT_IDS, layoutOf, type Layout, type LayoutId } from './grid'
import styles from './LayoutPicker.module.css'

type Props = Readonly<{ layout: LayoutId; onLayout: (id: LayoutId) => void }>

/** All layouts as small drawings. */
export function LayoutPicker({ layout, onLayout }: Props) {
  const text = useText()
  const name = useLayoutName()
  const id = useId()
  const frame = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)
  return (
    <div
      ref={frame}
      className={styles.picker}
      onBlur={({ relatedTarget }) => {
        if (!frame.current?.contains(relatedTarget)) setOpen(false)
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') setOpen(false)
      }}
      role="presentation"
    >
      <button
        type="button"
        className={styles.button}
        aria-expanded={open}
        aria-controls={id}
        aria-label={text('wall.layoutIs', { layout: name(layout) })}
        onClick={() => setOpen(!open)}
      >
        <Drawing layout={layoutOf(layout)} />
        <bdi dir="ltr">{name(layout)}</bdi>
      </button>
      {open && (
        <ul id={id} className={styles.list} aria-label={text('wall.layouts')}>
          {LAYOUT_IDS.map((one) => (
            <li key={one}>
              <button
                type="button"
                className={styles.choice}
                aria-pressed={one === layout}
                onClick={() => {
                  onLayout(one)
                  setOpen(false)
                }}
              >
                <Drawing layout={layoutOf(one)} />
                <bdi dir="ltr">{name(one)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** `3 × 4`, or the tiles of a hotspot layout: `1 + 12`. */
function useLayoutName(): (id: LayoutId) => string {
  const format = useFormat()
  const text = useText()
  return (id) => {
    const parts = id.split(/[x+]|c$/).filter(Boolean)
    const [one = '', other = ''] = parts.map((part) => format.number(Number(part)))
    if (id.includes('x')) return `${one} × ${other}`
    return id.endsWith('c') ? `${one} + ${other} ${text('wall.centred')}` : `${one} + ${other}`
  }
}

type DrawingProps = Readonly<{ layout: Layout }>

/** Turns with the page, as the wall does. */
function Drawing({ layout }: DrawingProps) {
  return (
    <svg
      className={styles.drawing}
      viewBox={`0 0 ${layout.columns * 10} ${layout.rows * 10}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {layout.cells.map(({ column, row, span }) => (
        <rect
          key={`${column} ${row}`}
          x={(column - 1) * 10 + 0.75}
          y={(row - 1) * 10 + 0.75}
          width={span * 10 - 1.5}
          height={span * 10 - 1.5}
          rx="1"
        />
      ))}
    </svg>
  )
}
