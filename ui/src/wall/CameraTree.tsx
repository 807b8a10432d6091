import {
  useId,
  useRef,
  useState,
  type CSSProperties,
  type DragEvent,
  type KeyboardEvent,
  type ReactNode,
} from 'react'
import type { Heard } from '@/api/heard'
import { keepTime } from '@/api/heard'
import type { Camera } from '@/api/model'
import { LOOKS, seen } from '@/cameras/health'
import { useNow } from '@/hooks/use-now'
import { directionOf, type Direction } from '@/i18n/direction'
import { useFormat, useLanguage, useText } from '@/i18n/use-text'
import { Icon } from '@/ui/Icon'
import { camerasIn, keyOf, rows, search, type Folder, type Row } from './camera-tree'
import styles from './CameraTree.module.css'
import { startDrag } from './drag'

type Props = Readonly<{
  folders: readonly Folder[]
  cameras: Heard<readonly Camera[]>
  /** Which cameras are on the wall. */
  onWall: ReadonlySet<string>
  /** For the field of the search: an empty tile leads to it. */
  searchRef: (element: HTMLInputElement | null) => void
  onAdd: (cameras: readonly string[]) => void
  /** What can be done with the folder that has the focus. */
  folderActions?: (folder: Folder) => ReactNode
}>

/** All cameras by folder, to be dragged, double-clicked or sent to the wall by Enter. */
export function CameraTree(props: Props) {
  const { folders, cameras, onWall, searchRef, onAdd, folderActions } = props
  const text = useText()
  const direction = directionOf(useLanguage())
  const hint = useId()
  const [words, setWords] = useState('')
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const [chosen, setChosen] = useState<string>()
  const list = useRef<HTMLDivElement>(null)
  const searching = words.trim() !== ''
  const shown = rows(search(folders, words), searching ? new Set() : closed)
  const active = shown.some((row) => keyOf(row) === chosen) ? chosen : shown[0] && keyOf(shown[0])

  const toggle = (id: string) =>
    setClosed((before) => {
      const after = new Set(before)
      if (!after.delete(id)) after.add(id)
      return after
    })
  const add = (row: Row) => onAdd(idsOf(row))
  const goTo = (row: Row | undefined) => {
    if (!row) return
    setChosen(keyOf(row))
    const items = list.current?.querySelectorAll<HTMLElement>('[role="treeitem"]')
    items?.[shown.indexOf(row)]?.focus()
  }
  const onKeyDown = (row: Row, event: KeyboardEvent): void => {
    const index = shown.indexOf(row)
    const move = moveFor(event.key, row, direction)
    if (!move) return
    event.preventDefault()
    switch (move) {
      case 'next':
        return goTo(shown[index + 1])
      case 'previous':
        return goTo(shown[index - 1])
      case 'first':
        return goTo(shown[0])
      case 'last':
        return goTo(shown.at(-1))
      case 'parent':
        return goTo(shown.slice(0, index).findLast((above) => above.depth < row.depth))
      case 'toggle':
        return row.is === 'folder' ? toggle(row.folder.id) : undefined
      case 'add':
        return add(row)
    }
  }
  return (
    <div className={styles.frame}>
      <label className={styles.search}>
        <Icon name="search" />
        <input
          ref={searchRef}
          className={styles.input}
          type="search"
          dir="auto"
          aria-label={text('cameras.search')}
          placeholder={text('cameras.search')}
          value={words}
          onChange={(event) => setWords(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'ArrowDown' && event.key !== 'Enter') return
            event.preventDefault()
            const first = shown.find((row) => row.is === 'camera')
            if (event.key === 'ArrowDown') goTo(shown[0])
            else if (searching && first) add(first)
          }}
        />
      </label>
      <p id={hint} className={styles.hint}>
        {text(shown.length === 0 ? 'cameras.noMatch' : 'wall.treeHint')}
      </p>
      {shown.length > 0 && (
        <div
          ref={list}
          className={styles.tree}
          role="tree"
          aria-label={text('cameras.rail')}
          aria-describedby={hint}
        >
          {shown.map((row) => (
            <TreeRow
              key={keyOf(row)}
              row={row}
              active={keyOf(row) === active}
              onWall={row.is === 'camera' && onWall.has(row.camera.id)}
              cameras={cameras}
              actions={row.is === 'folder' ? folderActions?.(row.folder) : undefined}
              onFocus={() => setChosen(keyOf(row))}
              onToggle={() => row.is === 'folder' && toggle(row.folder.id)}
              onAdd={() => add(row)}
              onKeyDown={(event) => onKeyDown(row, event)}
            />
          ))}
        </div>
      )}
    </div>
  )
}

const idsOf = (row: Row): string[] =>
  row.is === 'camera' ? [row.camera.id] : camerasIn(row.folder).map(({ id }) => id)

type Move = 'next' | 'previous' | 'first' | 'last' | 'parent' | 'toggle' | 'add'

/** As lists of this kind are gone through everywhere; folders open towards the end of the line. */
function moveFor(key: string, row: Row, direction: Direction): Move | undefined {
  const [into, out] =
    direction === 'rtl' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowRight', 'ArrowLeft']
  const open = row.is === 'folder' && row.open
  switch (key) {
    case 'ArrowDown':
      return 'next'
    case 'ArrowUp':
      return 'previous'
    case 'Home':
      return 'first'
    case 'End':
      return 'last'
    case 'Enter':
      return 'add'
    case ' ':
      return row.is === 'folder' ? 'toggle' : 'add'
    case into:
      return row.is === 'folder' && !row.open ? 'toggle' : 'next'
    case out:
      return open ? 'toggle' : 'parent'
    default:
      return undefined
  }
}

type RowProps = Readonly<{
  row: Row
  active: boolean
  onWall: boolean
  cameras: Heard<readonly Camera[]>
  actions: ReactNode
  onFocus: () => void
  onToggle: () => void
  onAdd: () => void
  onKeyDown: (event: KeyboardEvent) => void
}>

function TreeRow(props: RowProps) {
  const { row, active, onWall, cameras, actions, onFocus, onToggle, onAdd, onKeyDown } = props
  const tabIndex = active ? 0 : -1
  const style = { '--depth': row.depth } as CSSProperties
  const onDragStart = ({ dataTransfer }: DragEvent) =>
    startDrag(dataTransfer, { is: 'cameras', ids: idsOf(row) })
  if (row.is === 'folder') {
    return (
      <div className={styles.line}>
        <div
          role="treeitem"
          tabIndex={tabIndex}
          className={styles.folder}
          style={style}
          aria-level={row.depth}
          aria-selected={false}
          aria-expanded={row.open}
          draggable
          onDragStart={onDragStart}
          onFocus={onFocus}
          onKeyDown={onKeyDown}
          onClick={onToggle}
        >
          <span className={styles.arrow} data-open={row.open || undefined}>
            <Icon name="chevronForward" size={12} />
          </span>
          <Icon name={row.folder.kind === 'site' ? 'site' : 'folder'} size={14} />
          <span className={styles.name}>
            <bdi>{row.folder.name}</bdi>
          </span>
          <Count value={row.count} />
        </div>
        {actions}
      </div>
    )
  }
  return (
    <div
      role="treeitem"
      tabIndex={tabIndex}
      className={styles.camera}
      style={style}
      aria-level={row.depth}
      aria-selected={onWall}
      draggable
      onDragStart={onDragStart}
      onFocus={onFocus}
      onKeyDown={onKeyDown}
      onDoubleClick={onAdd}
    >
      <CameraState camera={keepTime(cameras, row.camera)} />
      <span className={styles.name}>
        <bdi>{row.camera.name}</bdi>
      </span>
      {onWall && <Icon name="check" size={12} />}
    </div>
  )
}

type CountProps = Readonly<{ value: number }>

function Count({ value }: CountProps) {
  return <span className={styles.count}>{useFormat().number(value)}</span>
}

type StateProps = Readonly<{ camera: Heard<Camera> }>

function CameraState({ camera }: StateProps) {
  const text = useText()
  const look = LOOKS[seen(camera, useNow()).state]
  return (
    <span className={styles.state} data-tone={look.tone} title={text(look.label)}>
      <Icon name={look.icon} size={12} />
      <span className={styles.hidden}>{text(look.label)}</span>
    </span>
  )
}
