import { act, renderHook } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { useTour } from './use-tour'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const pass = (seconds: number) =>
  act(() => {
    vi.advanceTimersByTime(seconds * 1_000)
  })

it('shows one page after the other, and begins again', () => {
  const { result } = renderHook(() => useTour(3, 10, false))
  const seen = [result.current]
  for (let count = 0; count < 4; count++) {
    pass(10)
    seen.push(result.current)
  }
  expect(seen).toEqual([0, 1, 2, 0, 1])
})

it('rests, and goes on where it was', () => {
  const { result, rerender } = renderHook(({ rests }) => useTour(3, 10, rests), {
    initialProps: { rests: false },
  })
  pass(10)
  rerender({ rests: true })
  pass(300)
  expect(result.current).toBe(1)
  rerender({ rests: false })
  pass(10)
  expect(result.current).toBe(2)
})

it('is none without a time, and never beyond the last page', () => {
  type Tour = { pages: number; seconds: number | undefined }
  const first: Tour = { pages: 3, seconds: 5 }
  const useShown = ({ pages, seconds }: Tour) => useTour(pages, seconds, false)
  const { result, rerender } = renderHook(useShown, { initialProps: first })
  pass(10)
  expect(result.current).toBe(2)
  rerender({ pages: 2, seconds: 5 })
  expect(result.current).toBeLessThan(2)
  rerender({ pages: 2, seconds: undefined })
  expect(result.current).toBe(0)
})
