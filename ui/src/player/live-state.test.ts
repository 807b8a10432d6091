import { beforeEach, describe, expect, it } from 'vitest'
import { LiveMachine, type LiveEvent } from './live-state'

let machine: LiveMachine
let changes = 0
beforeEach(() => {
  changes = 0
  machine = new LiveMachine(() => changes++)
})

const send = (now: number, ...events: LiveEvent[]) => {
  for (const event of events) machine.send(event, now)
}
const picture = { type: 'picture', age: 100 } as const
const down = { since: undefined, sentences: undefined }

describe('a live picture', () => {
  it('plays when there is one, and not before', () => {
    send(0, { type: 'open' })
    expect(machine.state).toEqual({ is: 'connecting', attempt: 0 })
    send(60_000, { type: 'tick' })
    expect(machine.state.is).toBe('connecting')
    send(60_001, picture)
    expect(machine.state.is).toBe('playing')
  })

  it('is stale when it stands still, and plays again with the next', () => {
    send(0, { type: 'open' }, picture)
    send(1_000, { type: 'tick' })
    expect(machine.state.is).toBe('playing')
    send(2_000, { type: 'tick' })
    expect(machine.state.is).toBe('stale')
    expect(machine.age(2_000)).toBe(2_100)
    send(2_010, picture)
    expect(machine.state.is).toBe('playing')
  })

  it('never plays while what moves is old', () => {
    send(0, { type: 'open' }, { type: 'picture', age: 8_000 })
    send(40, { type: 'picture', age: 8_000 })
    expect(machine.state.is).toBe('connecting')
    send(2_000, { type: 'tick' })
    expect(machine.state.is).toBe('stale')
    send(2_040, { type: 'picture', age: 8_000 })
    expect(machine.state.is).toBe('stale')
    expect(changes).toBe(2)
  })

  it('may begin with what was kept of the past, if it catches up', () => {
    send(0, { type: 'open' }, { type: 'picture', age: 6_000 })
    send(300, { type: 'picture', age: 4_000 }, { type: 'tick' })
    expect(machine.state.is).toBe('connecting')
    send(600, { type: 'picture', age: 150 })
    expect(machine.state.is).toBe('playing')
  })

  it('counts what failed until there is a picture', () => {
    send(0, { type: 'open' }, { type: 'lost' }, { type: 'open' }, { type: 'lost' })
    expect(machine.state).toEqual({ is: 'connecting', attempt: 2 })
    send(1, { type: 'open' }, picture)
    expect(machine.attempt).toBe(0)
  })

  it('is down when the coordinator says so, until a picture says otherwise', () => {
    send(0, { type: 'open' }, picture, { type: 'down', down })
    send(90_000, { type: 'tick' })
    expect(machine.state).toEqual({ is: 'down', down })
    send(90_001, picture)
    expect(machine.state.is).toBe('playing')
  })

  it('stays refused, whatever still comes of what was shown before', () => {
    send(0, { type: 'open' }, { type: 'refused', error: 'no' }, picture, { type: 'down', down })
    expect(machine.state).toEqual({ is: 'refused', error: 'no' })
    send(1, { type: 'open' })
    expect(machine.state.is).toBe('connecting')
  })

  it('tells of changes and of nothing else', () => {
    send(0, { type: 'open' }, picture, picture, picture, { type: 'tick' })
    expect(changes).toBe(2)
  })
})
