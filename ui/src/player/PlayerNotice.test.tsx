import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { RefusedError } from '@/api/errors'
import { formatFor } from '@/i18n/format'
import { expectAccessible, show } from '../../testing/page'
import { PlayerNotice } from './PlayerNotice'
import type { PlayerSnapshot } from './playback-driver'
import type { PlayerState } from './player-state'

const picture = Date.parse('2026-11-23T10:03:05Z')

function showNotice(state: PlayerState, fromSite = false, language: 'en' | 'ar' = 'en') {
  const playback: PlayerSnapshot = {
    state,
    wantsToPlay: true,
    live: false,
    goingTo: undefined,
    rate: 1,
    jump: undefined,
  }
  const onRetry = vi.fn()
  const view = show(
    <PlayerNotice
      playback={playback}
      picture={picture}
      fromSite={fromSite}
      format={formatFor(language, 'Asia/Dubai')}
      onRetry={onRetry}
    />,
    language,
  )
  return { ...view, onRetry }
}

describe('the notice over the picture', () => {
  it.each(['idle', 'playing', 'paused'] as const)('is not needed when %s', (is) => {
    const { container } = showNotice({ is })
    expect(container).toBeEmptyDOMElement()
  })

  it('tells waiting for the site from waiting for the centre', () => {
    const { unmount } = showNotice({ is: 'buffering' }, true)
    expect(screen.getByRole('status')).toHaveTextContent('Fetching the recording from the site…')
    unmount()
    showNotice({ is: 'buffering' })
    expect(screen.getByRole('status')).toHaveTextContent('Loading…')
  })

  it('says since when a picture stands still, by the time of the picture', () => {
    showNotice({ is: 'stalled', since: 5 })
    expect(screen.getByRole('alert')).toHaveTextContent(
      'The picture stands still since 23 Nov 2026, 14:03:05',
    )
  })

  it('passes on a refusal in the language of the page', () => {
    const error = new RefusedError(410, 'gone', { en: 'Gone.', ar: 'لم يعد محفوظًا.' }, 'c')
    showNotice({ is: 'failed', reason: 'refused', error }, false, 'ar')
    expect(screen.getByRole('alert')).toHaveTextContent('لم يعد محفوظًا.')
  })

  it.each(['unreachable', 'no_footage', 'media'] as const)(
    'lets one try again after %s',
    async (reason) => {
      const { onRetry, container } = showNotice({ is: 'failed', reason })
      await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
      expect(onRetry).toHaveBeenCalledOnce()
      await expectAccessible(container)
    },
  )
})
