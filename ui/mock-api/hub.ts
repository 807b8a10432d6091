/** The WebSocket of the mock: greets, and says what a test has it say. */
import { ws } from 'msw'
import type { HubMessage } from '@/api/model'

type Listener = Readonly<{ send: (text: string) => void; close: (code: number) => void }>

const connected = new Set<Listener>()

export const HUB = '8a4c6e0f2b7d4951a3c5e7f90b1d2f34'

/** What clients said, oldest first. */
export const said: string[] = []

export const hubHandlers = [
  ws.link('*/ws').addEventListener('connection', ({ client }) => {
    const listener: Listener = {
      send: (text) => client.send(text),
      close: (code) => client.close(code),
    }
    connected.add(listener)
    client.addEventListener('close', () => connected.delete(listener))
    client.addEventListener('message', ({ data }) =>
      said.push(typeof data === 'string' ? data : ''),
    )
    client.send(JSON.stringify({ type: 'HELLO', hub: HUB, server_time: new Date().toISOString() }))
  }),
]

/** To everybody who listens. */
export function say(message: HubMessage): void {
  for (const listener of connected) listener.send(JSON.stringify(message))
}

export const listeners = (): number => connected.size

/** Ends every connection. */
export function hangUp(code: number): void {
  for (const listener of connected) {
    connected.delete(listener)
    listener.close(code)
  }
}
