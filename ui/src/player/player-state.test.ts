import { describe, expect, it, vi } from 'vitest'
import {
  FIRST_PICTURE_AFTER,
  PlayerMachine,
  STALLED_AFTER,
  type PlayerEvent,
  type PlayerState,
} from './player-state'

type EventType = PlayerEvent['type']

function machineAfter(...types: EventType[]): PlayerMachine {
  const machine = new PlayerMachine(() => undefined)
  for (const type of types) machine.send(event(type), 0)
  return machine
}

const event = (type: EventType): PlayerEvent =>
  type === 'failed' ? { type, reason: 'unreachable' } : { type }

describe('from event to state', () => {
  it.each<[EventType[], PlayerState['is']]>([
    [[], 'idle'],
    [['open'], 'connecting'],
    [['open', 'ready'], 'buffering'],
    [['open', 'ready', 'picture'], 'playing'],
    [['open', 'ready', 'pause'], 'paused'],
    [['open', 'ready', 'picture', 'pause'], 'paused'],
    [['open', 'ready', 'picture', 'pause', 'picture'], 'paused'],
    [['open', 'ready', 'picture', 'pause', 'play'], 'buffering'],
    [['open', 'ready', 'picture', 'pause', 'play', 'picture'], 'playing'],
    [['open', 'ready', 'picture', 'starved'], 'buffering'],
    [['open', 'ready', 'picture', 'finished'], 'ended'],
    [['open', 'ready', 'picture', 'finished', 'picture'], 'ended'],
    [['open', 'ready', 'picture', 'finished', 'open'], 'connecting'],
    [['open', 'ready', 'picture', 'failed'], 'failed'],
    [['open', 'failed', 'picture'], 'failed'],
    [['open', 'failed', 'tick', 'starved', 'finished'], 'failed'],
    [['open', 'failed', 'open'], 'connecting'],
    [['open', 'ready', 'picture', 'close'], 'idle'],
    [['picture', 'ready', 'starved', 'finished'], 'idle'],
  ])('%j is %s', (types, is) => {
    expect(machineAfter(...types).state.is).toBe(is)
  })

  it('plays only through a picture', () => {
    const others: EventType[] = ['open', 'ready', 'starved', 'play', 'pause', 'finished', 'tick']
    for (const first of others)
      for (const second of others)
        for (const third of others)
          for (const fourth of others)
            expect(machineAfter(first, second, third, fourth).state.is).not.toBe('playing')
  })

  it('does not take a picture of the old place for one of the new', () => {
    expect(machineAfter('open', 'ready', 'picture', 'open', 'picture').state.is).toBe('connecting')
  })

  it('keeps what the person wants while it reconnects', () => {
    const machine = machineAfter('open', 'ready', 'picture', 'pause', 'open', 'ready', 'picture')
    expect(machine.state.is).toBe('paused')
    expect(machine.wantsToPlay).toBe(false)
  })
})

describe('a picture that stops', () => {
  it('is noticed, and since when', () => {
    const machine = machineAfter('open', 'ready')
    machine.send({ type: 'picture' }, 1_000)
    machine.send({ type: 'tick' }, 1_000 + STALLED_AFTER - 1)
    expect(machine.state.is).toBe('playing')
    machine.send({ type: 'tick' }, 1_000 + STALLED_AFTER)
    expect(machine.state).toEqual({ is: 'stalled', since: 1_000 })
    machine.send({ type: 'picture' }, 9_000)
    expect(machine.state.is).toBe('playing')
  })

  it('may take longer to come the first time', () => {
    const machine = machineAfter('open', 'ready')
    machine.send({ type: 'tick' }, FIRST_PICTURE_AFTER - 1)
    expect(machine.state.is).toBe('buffering')
    machine.send({ type: 'tick' }, FIRST_PICTURE_AFTER)
    expect(machine.state.is).toBe('stalled')
  })

  it('may stand as long as one likes when paused', () => {
    const machine = machineAfter('open', 'ready', 'picture', 'pause')
    machine.send({ type: 'tick' }, 1e9)
    expect(machine.state.is).toBe('paused')
  })

  it('gets its patience anew when play is pressed', () => {
    const machine = machineAfter('open', 'ready', 'picture', 'pause')
    machine.send({ type: 'play' }, 1e6)
    machine.send({ type: 'tick' }, 1e6 + 1)
    expect(machine.state.is).toBe('buffering')
  })
})

describe('changes', () => {
  it('are told once each', () => {
    const told = vi.fn()
    const machine = new PlayerMachine(told)
    machine.send({ type: 'open' }, 0)
    machine.send({ type: 'ready' }, 0)
    machine.send({ type: 'picture' }, 0)
    machine.send({ type: 'picture' }, 10)
    machine.send({ type: 'tick' }, 20)
    expect(told).toHaveBeenCalledTimes(3)
  })
})
