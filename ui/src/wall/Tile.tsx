import { useQuery } from '@tanstack/react-query'
import {
  useCallback,
  useEffect,
  useState,
  type CSSProperties,
  type DragEvent,
  type KeyboardEvent,
} from 'react'
import { Link } from 'react-router'
import type { Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { RefusedError } from '@/api/errors'
import { hasRoom, streamStatsQuery } from '@/api/streams'
import { healthSentence } from '@/cameras/sentences'
import { LOOKS, seen } from '@/cameras/health'
import { useInView } from '@/hooks/use-in-view'
import { useNow } from '@/hooks/use-now'
import { useLanguage, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import type { ChannelOrder, ChannelSnapshot } from '@/player/live-channel'
import { LiveNotice } from '@/player/LiveNotice'
import { LiveVideo } from '@/player/LiveVideo'
import { useLive } from '@/player/use-live'
import { IconButton } from '@/ui/Button'
import { classNames } from '@/ui/class-names'
import { Icon } from '@/ui/Icon'
import { isDragged, readDragged, startDrag, type Dragged } from './drag'
import type { DecodeMeter } from './decode-meter'
import type { Level } from './stream-plan'
import { TileStatus } from './TileStatus'
import styles from './Tile.module.css'

/** What a tile tells the wall. */
export type TileReport = Readonly<{ visible?: boolean; reducedOnly?: boolean }>

export type FrameProps = Readonly<{
  index: number
  place: CSSProperties
  /** It is the one that the keys are for. */
  active: boolean
  /** It was taken up, to be put down somewhere else. */
  lifted: boolean
  tileRef: (element: HTMLElement | null) => void
  onFocus: () => void
  onKeyDown: (event: KeyboardEvent) => void
  onDropped: (what: Dragged) => void
}>

type TileProps = FrameProps &
  Readonly<{
    camera: Heard<Camera>
    level: Level
    meter: DecodeMeter
    hasSound: boolean
    enlarged: boolean
    onReport: (camera: string, report: TileReport) => void
    onEnlarge: () => void
    onSound: () => void
    onRemove: () => void
  }>

/** Scrolled away for less than this, a picture goes on; in ms. */
const VIEW_GRACE = 800
/** A full picture that was refused is asked for again after this; in ms. */
const REDUCED_FOR = 60_000
/** From hearing of room to asking for it, more or less; in ms. */
const ROOM_AFTER = 1_500

/** A camera on the wall. */
export function Tile(props: TileProps) {
  const { camera, level, meter, hasSound, enlarged, onReport } = props
  const { onEnlarge, onSound, onRemove, ...frame } = props
  const text = useText()
  const { id, name, streams } = camera.value
  const [viewRef, visible] = useInView(VIEW_GRACE)
  const health = useHealth(camera)
  const live = useLive(orderFor(id, level, streams), health.expectsPictures)
  const { channel, shown } = live
  useEffect(() => onReport(id, { visible }), [onReport, id, visible])
  useEffect(() => meter.add(channel), [meter, channel])
  useEffect(() => channel.setMuted(!hasSound), [channel, hasSound])
  const retry = useCallback(() => channel.retry(), [channel])
  useRoom(shown, retry)
  useReduced(mayBeReduced(shown, streams), (reducedOnly) => onReport(id, { reducedOnly }))
  return (
    <TileFrame
      {...frame}
      viewRef={viewRef}
      label={text('wall.tile', { number: props.index + 1, camera: name })}
      dragged={{ is: 'tile', index: props.index }}
      onOpen={onEnlarge}
      actions={
        <>
          <Link
            className={styles.action ?? ''}
            to={paths.camera(id)}
            aria-label={text('wall.playback', { camera: name })}
            title={text('wall.playback', { camera: name })}
          >
            <Icon name="clock" />
          </Link>
          <IconButton
            icon={hasSound ? 'sound' : 'soundOff'}
            look="ghost"
            align="end"
            aria-label={text(hasSound ? 'player.mute' : 'player.unmute')}
            onClick={onSound}
          />
          <IconButton
            icon={enlarged ? 'shrink' : 'expand'}
            look="ghost"
            align="end"
            aria-label={text(enlarged ? 'wall.shrink' : 'wall.enlarge')}
            onClick={onEnlarge}
          />
          <IconButton
            icon="close"
            look="ghost"
            align="end"
            aria-label={text('wall.remove', { camera: name })}
            onClick={onRemove}
          />
        </>
      }
    >
      <LiveVideo live={live} label={name} />
      <LiveNotice live={live} explanation={health.explanation} />
      <TileStatus name={name} shown={shown} />
    </TileFrame>
  )
}

/** What the coordinator knows of the camera, and whether a picture is to be expected. */
function useHealth(camera: Heard<Camera>) {
  const text = useText()
  const language = useLanguage()
  const { state } = seen(camera, useNow())
  const troubled = state === 'down' || state === 'offline' || state === 'stale'
  return {
    expectsPictures: !troubled,
    // That the picture is old is said already, with its age.
    explanation: troubled
      ? (healthSentence(camera.value.health, language) ??
        (state === 'stale' ? undefined : text(LOOKS[state].label)))
      : undefined,
  }
}

/** Asks again by itself when there is room; apart, so that those who wait do not come all at once. */
function useRoom({ state, rendition }: ChannelSnapshot, retry: () => void) {
  const error = state.is === 'refused' ? state.error : undefined
  const limit = error instanceof RefusedError ? error.limit : undefined
  const { data } = useQuery({ ...streamStatsQuery, enabled: limit !== undefined })
  const tier = rendition === 'MAIN' ? 'FULL' : 'REDUCED'
  const free = limit !== undefined && data !== undefined && hasRoom(data, limit.agency, tier)
  useEffect(() => {
    if (!free) return undefined
    const timer = setTimeout(retry, ROOM_AFTER * (0.5 + Math.random()))
    return () => clearTimeout(timer)
  }, [free, error, retry])
}

/** Whether the full picture cannot be had, and the reduced one might: it is offered, or of another codec. */
function mayBeReduced({ state, rendition, refusal }: ChannelSnapshot, streams: Camera['streams']) {
  if (state.is === 'unplayable') return rendition === 'MAIN' && streams.includes('sub')
  const error = state.is === 'refused' ? state.error : refusal
  return error instanceof RefusedError && error.limit?.offersReduced === true
}

/** What is offered in place of the full picture is taken for a while. */
function useReduced(offered: boolean, onReduced: (reduced: boolean) => void) {
  const [taken, setTaken] = useState(false)
  if (offered && !taken) setTaken(true)
  useEffect(() => {
    if (!taken) return undefined
    onReduced(true)
    const timer = setTimeout(() => {
      setTaken(false)
      onReduced(false)
    }, REDUCED_FOR)
    return () => clearTimeout(timer)
    // What is told changes with every rendering, and what it does does not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [taken])
}

function orderFor(
  camera: string,
  level: Level,
  streams: Camera['streams'],
): ChannelOrder | undefined {
  switch (level) {
    case 'main':
      return { camera, rendition: 'MAIN', still: false }
    case 'sub':
      return { camera, rendition: 'SUB', still: false }
    case 'still':
      return { camera, rendition: streams.includes('sub') ? 'SUB' : 'MAIN', still: true }
    case 'none':
      return undefined
  }
}

type AbsentProps = FrameProps & Readonly<{ onRemove: () => void }>

/** A tile of a camera that this person does not see any more, or not yet. It keeps its place. */
export function AbsentTile({ onRemove, ...frame }: AbsentProps) {
  const text = useText()
  return (
    <TileFrame
      {...frame}
      label={text('wall.absentTile', { number: frame.index + 1 })}
      dragged={{ is: 'tile', index: frame.index }}
      actions={
        <IconButton
          icon="close"
          look="ghost"
          align="end"
          aria-label={text('wall.removeAbsent')}
          onClick={onRemove}
        />
      }
    >
      <p className={styles.empty}>{text('wall.absent')}</p>
    </TileFrame>
  )
}

/** A place without a camera. */
export function EmptyTile(frame: FrameProps) {
  const text = useText()
  return (
    <TileFrame {...frame} label={text('wall.emptyTile', { number: frame.index + 1 })}>
      <p className={styles.empty}>{text('wall.empty')}</p>
    </TileFrame>
  )
}

type TileFrameProps = FrameProps &
  Readonly<{
    label: string
    viewRef?: (element: Element | null) => (() => void) | undefined
    dragged?: Dragged
    actions?: React.ReactNode
    onOpen?: () => void
    children: React.ReactNode
  }>

/** What all tiles have in common: focus, keys, and being dragged and dropped on. */
function TileFrame(props: TileFrameProps) {
  const { label, viewRef, place, active, lifted, tileRef, dragged, actions, children } = props
  const [over, setOver] = useState(false)
  const onDrop = (event: DragEvent) => {
    setOver(false)
    const what = readDragged(event.dataTransfer)
    if (!what) return
    event.preventDefault()
    props.onDropped(what)
  }
  return (
    <div
      ref={viewRef}
      className={classNames(styles.tile, over && styles.over, lifted && styles.lifted)}
      style={place}
      data-active={active || undefined}
    >
      {children}
      <div
        ref={tileRef}
        className={styles.target}
        role="button"
        tabIndex={active ? 0 : -1}
        aria-label={label}
        aria-pressed={lifted || undefined}
        aria-keyshortcuts="Enter Space Delete M F H"
        draggable={dragged !== undefined}
        onDragOver={(event) => {
          if (!isDragged(event.dataTransfer)) return
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={onDrop}
        onDragStart={(event) => dragged && startDrag(event.dataTransfer, dragged)}
        onFocus={props.onFocus}
        onKeyDown={props.onKeyDown}
        onDoubleClick={props.onOpen}
      />
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  )
}
