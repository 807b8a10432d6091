import { fireEvent, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { formatFor } from '@/i18n/format'
import { HOUR, MINUTE, SECOND, type TimeRange } from '@/time/range'
import { dayRange } from '@/time/zone'
import { expectAccessible, show } from '../../testing/page'
import type { Coverage } from './coverage'
import { Timeline } from './Timeline'

const bounds = dayRange('2026-11-23', 'Asia/Dubai')
const at = (hours: number, minutes = 0) => bounds.from + hours * HOUR + minutes * MINUTE
const coverage: Coverage = [
  { state: 'recorded', place: 'both', from: at(0), to: at(6) },
  {
    state: 'missing',
    cause: 'network',
    reason: 'camera_unreachable',
    sentence: { en: 'The camera could not be reached.', ar: 'تعذّر الوصول إلى الكاميرا.' },
    from: at(6),
    to: at(7),
  },
  { state: 'recorded', place: 'edge', from: at(7), to: at(12) },
]

function showTimeline(language: 'en' | 'ar' = 'en', view: TimeRange = bounds, position = at(3)) {
  const onSeek = vi.fn<(at: number) => void>()
  const onView = vi.fn<(view: TimeRange) => void>()
  const { container } = show(
    <Timeline
      bounds={bounds}
      view={view}
      coverage={coverage}
      position={position}
      now={at(12)}
      format={formatFor(language, 'Asia/Dubai')}
      onView={onView}
      onSeek={onSeek}
    />,
    language,
  )
  return { container, onSeek, onView, lane: screen.getByRole('slider') }
}

const sought = async (onSeek: ReturnType<typeof showTimeline>['onSeek']) => {
  await waitFor(() => expect(onSeek).toHaveBeenCalled())
  return onSeek.mock.lastCall?.[0]
}

describe('the timeline', () => {
  it('says where one is, what is there and why not', () => {
    const { lane } = showTimeline('en', bounds, at(6, 30))
    expect(lane).toHaveAttribute(
      'aria-valuetext',
      '06:30:00, Missing, The camera could not be reached.',
    )
    expect(lane).toHaveAttribute('aria-valuenow', String(6.5 * 3600))
  })

  it('shows what is only at the site apart from the rest, by pattern', () => {
    const { container } = showTimeline()
    const fill = (look: string) =>
      container.querySelector(`[role=slider] [data-look=${look}]`)?.getAttribute('fill')
    expect(fill('edge')).toMatch(/^url\(/)
    expect(fill('lost')).toMatch(/^url\(/)
    expect(fill('edge')).not.toBe(fill('lost'))
    expect(fill('centre')).toBeNull()
  })

  it('runs from left to right in both languages', () => {
    const { container } = showTimeline('ar')
    expect(container.firstElementChild).toHaveAttribute('dir', 'ltr')
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    const { container } = showTimeline(language)
    await expectAccessible(container)
  })
})

describe('keys', () => {
  it.each([
    ['{ArrowRight}', at(3, 2)],
    ['{ArrowLeft}', at(2, 58)],
    ['{Shift>}{ArrowRight}{/Shift}', at(3, 20)],
    ['{PageDown}', at(2, 40)],
    ['{Home}', at(0)],
    ['{End}', at(12)],
    [']', at(6) - SECOND],
  ])('%s moves the cursor', async (keys, to) => {
    const { lane, onSeek } = showTimeline()
    lane.focus()
    await userEvent.keyboard(keys)
    expect(await sought(onSeek)).toBe(to)
  })

  it('held down move the cursor at once and the player when they rest', async () => {
    const { lane, onSeek } = showTimeline()
    lane.focus()
    await userEvent.keyboard('{ArrowRight>5/}')
    expect(onSeek).not.toHaveBeenCalled()
    expect(lane).toHaveAttribute('aria-valuetext', expect.stringMatching(/^03:10:00/))
    expect(await sought(onSeek)).toBe(at(3, 10))
    expect(onSeek).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['+', 12 * HOUR],
    ['-', 24 * HOUR],
    ['0', 24 * HOUR],
  ])('%s zooms', async (key, length) => {
    const { lane, onView } = showTimeline()
    lane.focus()
    await userEvent.keyboard(key)
    const view = onView.mock.lastCall?.[0]
    expect((view?.to ?? 0) - (view?.from ?? 0)).toBe(length)
  })

  it('leave the browser’s own alone', () => {
    const { lane } = showTimeline()
    expect(fireEvent.keyDown(lane, { key: '+', ctrlKey: true })).toBe(true)
    expect(fireEvent.keyDown(lane, { key: 'Tab' })).toBe(true)
    expect(fireEvent.keyDown(lane, { key: 'Home' })).toBe(false)
  })
})

describe('the pointer', () => {
  const capture = (lane: HTMLElement) => {
    lane.setPointerCapture = () => undefined
    lane.hasPointerCapture = () => true
  }

  it('seeks where it is let go', () => {
    const { lane, onSeek } = showTimeline()
    capture(lane)
    fireEvent.pointerDown(lane, { button: 0, clientX: 100 })
    fireEvent.pointerMove(lane, { clientX: 250 })
    expect(onSeek).not.toHaveBeenCalled()
    fireEvent.pointerUp(lane)
    expect(onSeek).toHaveBeenCalledExactlyOnceWith(at(6))
  })

  it('cannot go into the future', () => {
    const { lane, onSeek } = showTimeline()
    capture(lane)
    fireEvent.pointerDown(lane, { button: 0, clientX: 990 })
    fireEvent.pointerUp(lane)
    expect(onSeek).toHaveBeenCalledExactlyOnceWith(at(12))
  })

  it('wheel zooms where the pointer is', () => {
    const { lane, onView } = showTimeline()
    fireEvent.wheel(lane, { deltaY: -200, clientX: 500 })
    const view = onView.mock.lastCall?.[0]
    expect((view?.to ?? 0) - (view?.from ?? 0)).toBeLessThan(24 * HOUR)
    expect(((view?.from ?? 0) + (view?.to ?? 0)) / 2).toBeCloseTo(at(12), -2)
  })
})
