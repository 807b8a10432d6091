import { setupWorker } from 'msw/browser'
import { handlers } from './handlers'

/** Answers for the coordinator inside this browser. */
export async function startMockApi(): Promise<void> {
  await setupWorker(...handlers).start({ onUnhandledRequest: 'bypass', quiet: true })
}
