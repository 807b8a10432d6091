import {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
} from 'react'
import { keepTime, type Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { useElementSize } from '@/hooks/use-element-size'
import { usePageVisible } from '@/hooks/use-page-visible'
import { directionOf } from '@/i18n/direction'
import { useLanguage, useText } from '@/i18n/use-text'
import { clear, fill, places, put, swap, type Seats } from './arrange'
import { DecodeMeter } from './decode-meter'
import type { Dragged } from './drag'
import { neighbour, type Cell, type Layout } from './grid'
import { mostSteps, plan, type Level, type TileFacts } from './stream-plan'
import { AbsentTile, EmptyTile, Tile, type FrameProps, type TileReport } from './Tile'
import { useDecodeBudget } from './use-decode-budget'
import { commandFor, type WallCommand } from './wall-keys'
import styles from './Wall.module.css'

type Props = Readonly<{
  layout: Layout
  seats: Seats
  cameras: Heard<readonly Camera[]>
  enlarged: number | undefined
  onSeats: (seats: Seats) => void
  onEnlarge: (index: number | undefined) => void
  onFullScreen: () => void
  /** A person who is on an empty tile wants to choose a camera for it. */
  onChoose: (index: number) => void
}>

/** In CSS pixels; narrower than this the tiles stand below each other. */
const NARROW = 560
/** A page that is hidden for less than this goes on; in ms. */
const PAGE_GRACE = 3_000

/** The tiles. Each keeps its element while its camera stays on the wall, wherever it goes. */
export function Wall(props: Props) {
  const { layout, seats, cameras, enlarged, onSeats, onEnlarge, onFullScreen, onChoose } = props
  const text = useText()
  const direction = directionOf(useLanguage())
  const [gridRef, { width }] = useElementSize()
  const [chosen, setChosen] = useState(0)
  const [lifted, setLifted] = useState<number>()
  const [soundOf, setSoundOf] = useState<string>()
  const tiles = useRef(new Map<number, HTMLElement>())
  /** A tile that changes what it holds is another element; the focus stays with the place. */
  const refocus = useRef<number>(undefined)
  useEffect(() => {
    if (refocus.current === undefined) return
    tiles.current.get(refocus.current)?.focus()
    refocus.current = undefined
  }, [seats])
  const size = layout.cells.length
  const shown = places(seats, size)
  const active = Math.min(enlarged ?? chosen, size - 1)
  const narrow = width > 0 && width < NARROW
  const known = useMemo(
    () => new Map(cameras.value.map((camera) => [camera.id, camera])),
    [cameras],
  )
  const { levels, meter, report } = useStreams({
    shown,
    known,
    important: shown[active],
    widthOf: (index) => tileWidth(layout, layout.cells[index], width, narrow, enlarged === index),
  })

  const goTo = (index: number) => {
    setChosen(index)
    tiles.current.get(index)?.focus()
  }
  const drop = (index: number, what: Dragged) => {
    if (what.is === 'tile') onSeats(swap(seats, what.index, index))
    else {
      const [first, ...others] = what.ids.filter((id) => known.has(id))
      if (first) onSeats(fill(put(seats, index, first), size, others))
    }
    setChosen(index)
  }
  const enter = (index: number) => {
    if (lifted !== undefined) putDown(index)
    else if (shown[index]) onEnlarge(enlarged === undefined ? index : undefined)
    else onChoose(index)
  }
  const putDown = (index: number) => {
    if (lifted === undefined) {
      if (shown[index]) setLifted(index)
      return
    }
    refocus.current = index
    onSeats(swap(seats, lifted, index))
    setLifted(undefined)
  }
  const obey = (index: number, command: WallCommand): void => {
    switch (command.do) {
      case 'go':
        return enlarged === undefined
          ? goTo(neighbour(layout, index, command.arrow, direction))
          : undefined
      case 'first':
        return goTo(0)
      case 'last':
        return goTo(size - 1)
      case 'enter':
        return enter(index)
      case 'lift':
        return putDown(index)
      case 'remove':
        if (!shown[index]) return
        refocus.current = index
        return onSeats(clear(seats, index))
      case 'back':
        return lifted === undefined ? onEnlarge(undefined) : setLifted(undefined)
      case 'sound':
        return setSoundOf(soundOf === shown[index] ? undefined : shown[index])
      case 'fullScreen':
        return onFullScreen()
      case 'large':
        return onSeats(swap(seats, index, 0))
    }
  }
  const onKeyDown = (index: number) => (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const command = commandFor(event)
    if (!command) return
    event.preventDefault()
    obey(index, command)
  }
  const frame = (index: number): FrameProps => ({
    index,
    place: placeOf(layout, index, narrow, enlarged),
    active: index === active,
    lifted: index === lifted,
    tileRef: (element) => {
      if (element) tiles.current.set(index, element)
      else tiles.current.delete(index)
    },
    onFocus: () => setChosen(index),
    onKeyDown: onKeyDown(index),
    onDropped: (what) => drop(index, what),
  })

  // In the order of their ids and not of their tiles: an element that is moved in the page stops playing.
  const seated = shown
    .flatMap((camera, index) => (camera === undefined ? [] : [{ camera, index }]))
    .sort((one, other) => (one.camera < other.camera ? -1 : 1))
  return (
    <div
      ref={gridRef}
      className={styles.wall}
      role="group"
      aria-label={text('wall.tiles')}
      data-narrow={narrow || undefined}
      style={{ '--columns': layout.columns, '--rows': layout.rows } as CSSProperties}
    >
      {seated.map(({ camera: id, index }) => {
        const camera = known.get(id)
        const remove = () => onSeats(clear(seats, index))
        return camera ? (
          <Tile
            key={id}
            {...frame(index)}
            camera={keepTime(cameras, camera)}
            level={levels.get(id) ?? 'none'}
            meter={meter}
            hasSound={soundOf === id}
            enlarged={enlarged === index}
            onReport={report}
            onEnlarge={() => onEnlarge(enlarged === undefined ? index : undefined)}
            onSound={() => setSoundOf(soundOf === id ? undefined : id)}
            onRemove={remove}
          />
        ) : (
          <AbsentTile key={id} {...frame(index)} onRemove={remove} />
        )
      })}
      {shown.map(
        (camera, index) => camera === undefined && <EmptyTile key={index} {...frame(index)} />,
      )}
      <p className={styles.word} role="status">
        {lifted !== undefined && text('wall.lifted', { number: lifted + 1 })}
      </p>
    </div>
  )
}

type Streams = Readonly<{
  shown: Seats
  known: ReadonlyMap<string, Camera>
  important: string | undefined
  widthOf: (index: number) => number
}>

/** Which picture each camera on the wall gets, as tiles come and go and the computer keeps up or not. */
function useStreams({ shown, known, important, widthOf }: Streams) {
  const [levels, setLevels] = useState<ReadonlyMap<string, Level>>(new Map())
  const [reports, setReports] = useState<ReadonlyMap<string, TileReport>>(new Map())
  const [meter] = useState(() => new DecodeMeter(performance.now()))
  const pageVisible = usePageVisible(PAGE_GRACE)
  const report = useCallback((camera: string, news: TileReport) => {
    setReports((before) => new Map(before).set(camera, { ...before.get(camera), ...news }))
  }, [])
  const facts = shown.flatMap((id, index): TileFacts[] => {
    const camera = id === undefined ? undefined : known.get(id)
    if (!camera) return []
    return [
      {
        camera: camera.id,
        streams: camera.streams,
        width: widthOf(index),
        visible: reports.get(camera.id)?.visible ?? false,
        reducedOnly: reports.get(camera.id)?.reducedOnly ?? false,
        important: camera.id === important,
        level: levels.get(camera.id) ?? 'none',
      },
    ]
  })
  const steps = useDecodeBudget(meter, mostSteps(facts, pageVisible))
  const planned = plan(facts, pageVisible, steps)
  const same =
    levels.size === facts.length &&
    facts.every(({ camera }, index) => levels.get(camera) === planned[index])
  if (!same) {
    setLevels(new Map(facts.map(({ camera }, index) => [camera, planned[index] ?? 'none'])))
  }
  return { levels, meter, report, steps }
}

/** In pixels of the screen. */
function tileWidth(
  layout: Layout,
  cell: Cell | undefined,
  width: number,
  narrow: boolean,
  enlarged: boolean,
): number {
  const ratio = globalThis.devicePixelRatio
  if (narrow || enlarged || !cell) return width * ratio
  return (width / layout.columns) * cell.span * ratio
}

function placeOf(
  layout: Layout,
  index: number,
  narrow: boolean,
  enlarged: number | undefined,
): CSSProperties {
  if (enlarged !== undefined) return index === enlarged ? { gridArea: '1 / 1 / -1 / -1' } : HIDDEN
  if (narrow) return { order: index }
  const { column = 1, row = 1, span = 1 } = layout.cells[index] ?? {}
  return { gridColumn: `${column} / span ${span}`, gridRow: `${row} / span ${span}` }
}

const HIDDEN: CSSProperties = { display: 'none' }
