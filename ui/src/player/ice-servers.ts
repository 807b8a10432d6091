/**
 * Relays that the coordinator names in `Link` headers (RFC 9725, section 4.6). Pure.
 *
 * `<turn:relay.example?transport=udp>; rel="ice-server"; username="…"; credential="…"`
 */

export type IceServer = Readonly<{ urls: string; username?: string; credential?: string }>

const LINK = /<([^<>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^",;\s]+))*)/g
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]+))/g

export function iceServersOf(header: string | null): IceServer[] {
  const servers: IceServer[] = []
  for (const [, urls = '', tail = ''] of (header ?? '').matchAll(LINK)) {
    const parameters = new Map<string, string>()
    for (const [, name = '', quoted, plain] of tail.matchAll(PARAMETER)) {
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
    }
    if (parameters.get('rel') !== 'ice-server' || !/^(stuns?|turns?):/.test(urls)) continue
    const [username, credential] = [parameters.get('username'), parameters.get('credential')]
    servers.push({
      urls,
      ...(username === undefined ? {} : { username }),
      ...(credential === undefined ? {} : { credential }),
    })
  }
  return servers
}
