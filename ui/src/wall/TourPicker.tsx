import { useFormat, useText } from '@/i18n/use-text'
import { SECOND } from '@/time/range'
import styles from './TourPicker.module.css'
import { TOURS } from './use-wall'

type Props = Readonly<{
  tour: number | undefined
  page: number
  pages: number
  onTour: (seconds: number | undefined) => void
}>

/** Whether the cameras take turns on the wall, and how fast. */
export function TourPicker({ tour, page, pages, onTour }: Props) {
  const text = useText()
  const format = useFormat()
  return (
    <span className={styles.tour}>
      <select
        className={styles.select}
        aria-label={text('wall.tour')}
        value={tour ?? ''}
        onChange={({ target }) => onTour(target.value === '' ? undefined : Number(target.value))}
      >
        <option value="">{text('wall.tour.off')}</option>
        {TOURS.map((seconds) => (
          <option key={seconds} value={seconds}>
            {text('wall.tour.every', { duration: format.duration(seconds * SECOND) })}
          </option>
        ))}
      </select>
      {tour !== undefined && (
        <span className={styles.page}>
          {text('wall.tour.page', { page: format.number(page + 1), pages: format.number(pages) })}
        </span>
      )}
    </span>
  )
}
