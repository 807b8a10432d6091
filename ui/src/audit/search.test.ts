import { expect, it } from 'vitest'
import { exportAddress, readSearch } from './search'

it('the address of the page is the search', () => {
  const params = new URLSearchParams('what=views&user=u1&text=%20gate%20&agency=&entry=4')
  expect(readSearch(params)).toEqual({
    what: 'live_opened,live_closed,playback_prepared,playback_sought,playback_viewed',
    user: 'u1',
    text: 'gate',
  })
  expect(readSearch(new URLSearchParams('what=signed_in'))).toEqual({ what: 'signed_in' })
})

it('an export is of the same search', () => {
  expect(exportAddress({ text: 'a&b', agency: 'METRO' }, 'jsonl')).toBe(
    '/api/v1/audit/export?text=a%26b&agency=METRO&format=jsonl',
  )
})
