import { describe, expect, it } from 'vitest'
import { iceServersOf } from './ice-servers'

describe('relays named by the coordinator', () => {
  it('are none without a header', () => {
    expect(iceServersOf(null)).toEqual([])
    expect(iceServersOf('')).toEqual([])
  })

  it('come with what one needs to use them', () => {
    const header =
      '<stun:relay.example:3478>; rel="ice-server", ' +
      '<turn:relay.example:3478?transport=udp>; rel="ice-server"; username="1795:a\\"b,c;d"; ' +
      'credential="x/y+z="; credential-type="password"'
    expect(iceServersOf(header)).toEqual([
      { urls: 'stun:relay.example:3478' },
      {
        urls: 'turn:relay.example:3478?transport=udp',
        username: '1795:a"b,c;d',
        credential: 'x/y+z=',
      },
    ])
  })

  it.each([
    '</next>; rel="next"',
    '<https://relay.example>; rel=ice-server',
    '<turn:relay.example>',
    'turn:relay.example; rel="ice-server"',
    '<<<>>>;;;',
  ])('are not what is none: %s', (header) => {
    expect(iceServersOf(header)).toEqual([])
  })
})
