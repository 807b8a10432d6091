import { setupServer } from 'msw/node'
import { handlers } from '@mock/handlers'

/** The mock API, for tests; add handlers with `server.use` for what it does not do by itself. */
export const server = setupServer(...handlers)
