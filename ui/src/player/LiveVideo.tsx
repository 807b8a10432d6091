import { useText } from '@/i18n/use-text'
import styles from './LiveVideo.module.css'
import type { Live } from './use-live'

type Props = Readonly<{
  live: Live
  /** What is watched, for those who hear the page. */
  label: string
}>

/** The picture alone. It is never mirrored, and looks different as soon as it is not live. */
export function LiveVideo({ live, label }: Props) {
  const { placeRef, shown } = live
  const text = useText()
  return (
    <div
      ref={placeRef}
      className={styles.place}
      dir="ltr"
      role="img"
      aria-label={text('player.videoLabel', { camera: label })}
      data-state={shown.state.is}
      data-way={shown.way}
      data-rendition={shown.rendition}
    />
  )
}
