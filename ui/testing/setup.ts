/** What a page test needs around it: matchers, the mock API, and what jsdom has not got. */
import '@testing-library/jest-dom/vitest'
import { cleanup, configure } from '@testing-library/react'
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { usePreferences } from '@/stores/preferences'
import { useToasts } from '@/stores/toast'
import { resetAccount } from '@mock/account'
import { server } from './server'

// A page has a lot to do on a busy machine; what never comes still fails.
configure({ asyncUtilTimeout: 8_000 })

/** Every element is this wide and in view: jsdom lays nothing out. */
const WIDTH = 1000

class StillResizeObserver implements ResizeObserver {
  readonly #tell: ResizeObserverCallback

  constructor(tell: ResizeObserverCallback) {
    this.#tell = tell
  }

  observe(target: Element) {
    const entry = { target, contentRect: { width: WIDTH } } as unknown as ResizeObserverEntry
    this.#tell([entry], this)
  }

  unobserve() {
    return undefined
  }

  disconnect() {
    return undefined
  }
}

class EverythingInView {
  readonly #tell: (entries: { isIntersecting: boolean }[]) => void

  constructor(tell: (entries: { isIntersecting: boolean }[]) => void) {
    this.#tell = tell
  }

  observe() {
    this.#tell([{ isIntersecting: true }])
  }

  disconnect() {
    return undefined
  }
}

vi.stubGlobal('ResizeObserver', StillResizeObserver)
vi.stubGlobal('IntersectionObserver', EverythingInView)
HTMLDialogElement.prototype.showModal = function showModal() {
  this.open = true
}
HTMLDialogElement.prototype.close = function close() {
  this.open = false
}
HTMLMediaElement.prototype.play = () => Promise.resolve()
HTMLMediaElement.prototype.pause = () => undefined
HTMLMediaElement.prototype.load = () => undefined

let complaints: unknown[][] = []

beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(() => {
  complaints = []
  vi.spyOn(console, 'error').mockImplementation((...words: unknown[]) => {
    complaints.push(words)
  })
})
afterEach(() => {
  cleanup()
  server.resetHandlers()
  localStorage.clear()
  resetAccount()
  useToasts.setState({ messages: [] })
  usePreferences.setState({ language: 'en', theme: 'dark' })
  // A missing text, a broken effect or a wrong attribute is an error, wherever it shows.
  if (complaints.length > 0) {
    throw new Error(`console.error: ${complaints.map((words) => words.join(' ')).join('\n')}`)
  }
})
afterAll(() => server.close())
