import { useId } from 'react'
import { useFormat, useText } from '@/i18n/use-text'
import { addDays, parseDay, type Day } from '@/time/zone'
import { Button, IconButton } from '@/ui/Button'
import styles from './DayNavigation.module.css'
import { TIMELINE_DIRECTION } from './direction'

type Props = Readonly<{
  day: Day
  today: Day
  onDay: (day: Day) => void
}>

/** From day to day, the earlier where the timeline has the earlier; the future has none yet. */
export function DayNavigation({ day, today, onDay }: Props) {
  const text = useText()
  const format = useFormat()
  const id = useId()
  const isToday = day >= today
  return (
    <div className={styles.navigation} dir={TIMELINE_DIRECTION}>
      <IconButton
        icon="chevronBack"
        look="ghost"
        align="start"
        side="above"
        aria-label={text('timeline.previousDay')}
        onClick={() => onDay(addDays(day, -1))}
      />
      <label className={styles.day} htmlFor={id}>
        <span dir="auto">{format.day(day)}</span>
        <input
          id={id}
          className={styles.picker}
          type="date"
          aria-label={text('timeline.pickDay')}
          value={day}
          max={today}
          onClick={(event) => event.currentTarget.showPicker()}
          onChange={(event) => {
            const picked = parseDay(event.target.value)
            if (picked && picked <= today) onDay(picked)
          }}
        />
      </label>
      <IconButton
        icon="chevronForward"
        look="ghost"
        side="above"
        aria-label={text('timeline.nextDay')}
        disabledReason={isToday ? text('timeline.noNextDay') : undefined}
        onClick={() => onDay(addDays(day, 1))}
      />
      {!isToday && (
        <Button look="ghost" onClick={() => onDay(today)}>
          {text('timeline.today')}
        </Button>
      )}
    </div>
  )
}
