import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from 'react'
import type { Format } from '@/i18n/format'
import { useText } from '@/i18n/use-text'
import { Icon } from '@/ui/Icon'
import { PlayerControls } from './PlayerControls'
import { commandFor, type PlayerCommand } from './player-keys'
import { PlayerNotice } from './PlayerNotice'
import type { PlaybackDriver } from './playback-driver'
import styles from './RecordedVideo.module.css'
import { useCoarsePicture, usePlayback } from './use-playback'

type Props = Readonly<{
  driver: PlaybackDriver | undefined
  videoRef: Ref<HTMLVideoElement>
  /** What is watched, for those who hear the page. */
  label: string
  format: Format
  /** The instant shown is only at the site. */
  fromSite: boolean
  /** How far the newest picture is behind the present, in ms, while following it. */
  behind: number | undefined
  onSkip: (seconds: number) => void
  onLive: () => void
  /** Under the controls. */
  children: ReactNode
}>

/** How long the notice of a stepped-over gap stays; in ms. */
const JUMP_SHOWN_FOR = 6_000
/** Further behind than this it is not the present any more; in ms. */
const MOST_BEHIND = 30_000

/** The picture, what it does not say by itself, and the buttons. */
export function RecordedVideo(props: Props) {
  const { driver, videoRef, label, format, fromSite, behind, onSkip, onLive, children } = props
  const text = useText()
  const playback = usePlayback(driver)
  const picture = useCoarsePicture(driver, 1000)
  const frame = useRef<HTMLDivElement>(null)
  const [muted, setMuted] = useState(true)
  const moving = playback.state.is === 'playing'
  const isLive = playback.live && moving && behind !== undefined && behind < MOST_BEHIND

  const obey = (command: PlayerCommand) => {
    switch (command.do) {
      case 'toggle':
        return driver?.toggle()
      case 'step':
        return driver?.step(command.pictures)
      case 'skip': {
        onSkip(command.seconds)
        return
      }
      case 'live': {
        onLive()
        return
      }
      case 'mute': {
        setMuted(!muted)
        return
      }
      case 'fullScreen': {
        toggleFullScreen(frame.current)
        return
      }
    }
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const command = commandFor(event)
    if (!command) return
    event.preventDefault()
    obey(command)
  }

  return (
    <div ref={frame} className={styles.player}>
      <div className={styles.stage}>
        {/* A surveillance camera has no captions. */}
        {/* eslint-disable-next-line jsx-a11y/media-has-caption */}
        <video
          ref={videoRef}
          className={styles.video}
          muted={muted}
          playsInline
          disablePictureInPicture
          tabIndex={0}
          aria-label={text('player.videoLabel', { camera: label })}
          aria-keyshortcuts="Space ArrowLeft ArrowRight , . M F E"
          data-state={playback.state.is}
          onKeyDown={onKeyDown}
          onClick={() => driver?.toggle()}
        />
        <JumpNotice key={playback.jump?.to} jump={playback.jump} format={format} />
        <PlayerNotice
          playback={playback}
          picture={picture}
          fromSite={fromSite}
          format={format}
          onRetry={() => driver?.retry()}
        />
      </div>
      <PlayerControls
        driver={driver}
        playback={playback}
        format={format}
        muted={muted}
        isLive={isLive}
        onCommand={obey}
        notes={
          <>
            {isLive && (
              <span className={styles.badge} data-tone="live">
                <Icon name="dot" size={12} />
                {text('player.liveBehind', { duration: format.age(behind) })}
              </span>
            )}
            {fromSite && (
              <span className={styles.badge} data-tone="edge">
                <Icon name="site" size={12} />
                {text('player.fromSite')}
              </span>
            )}
          </>
        }
      />
      {children}
    </div>
  )
}

type JumpProps = Readonly<{
  jump: Readonly<{ from: number; to: number }> | undefined
  format: Format
}>

/** Says that a gap was stepped over, for a while. */
function JumpNotice({ jump, format }: JumpProps) {
  const text = useText()
  const [shown, setShown] = useState(true)
  useEffect(() => {
    const timer = setTimeout(() => setShown(false), JUMP_SHOWN_FOR)
    return () => clearTimeout(timer)
  }, [])
  if (!jump || !shown) return null
  return (
    <p className={styles.jump} role="status">
      <Icon name="forward" size={14} />
      {text('player.jumped', {
        duration: format.duration(jump.to - jump.from),
        from: format.time(jump.from),
        to: format.time(jump.to),
      })}
    </p>
  )
}

function toggleFullScreen(element: HTMLElement | null): void {
  const done = document.fullscreenElement ? document.exitFullscreen() : element?.requestFullscreen()
  // Refused by the browser's settings: nothing to do about it, and nothing lost.
  done?.catch(() => undefined)
}
