/**
 * Addresses of segments are signed for a few minutes, playlists of past footage are read once. This
 * keeps the newest signature of each segment and reads the playlist again before one runs out, so
 * that playback of an hour does not break off after five minutes.
 */

/** A signature with less than this left is renewed before use; in ms. */
const MARGIN = 30_000

export class SignedUrls {
  readonly #readPlaylist: () => Promise<string>
  /** Newest address by path. */
  readonly #newest = new Map<string, URL>()
  #reading: Promise<void> | undefined

  constructor(readPlaylist: () => Promise<string>) {
    this.#readPlaylist = readPlaylist
  }

  /** An address of the same segment that still works at `now`, in ms of UTC. */
  async current(address: string, base: string, now: number): Promise<string> {
    const asked = new URL(address, base)
    if (!expiresSoon(asked, now)) return asked.href
    if (expiresSoon(this.#newest.get(asked.pathname) ?? asked, now)) await this.#renew(base)
    return (this.#newest.get(asked.pathname) ?? asked).href
  }

  async #renew(base: string): Promise<void> {
    this.#reading ??= this.#readPlaylist()
      .then((playlist) => {
        for (const address of addressesOf(playlist)) {
          const url = new URL(address, base)
          this.#newest.set(url.pathname, url)
        }
      })
      .finally(() => {
        this.#reading = undefined
      })
    await this.#reading
  }
}

/** The media addresses of a playlist (RFC 8216 sections 4.1 and 4.3.2.5). */
export function addressesOf(playlist: string): string[] {
  const addresses = new Set<string>()
  for (const line of playlist.split('\n').map((text) => text.trim())) {
    const map = /^#EXT-X-MAP:.*URI="([^"]+)"/.exec(line)
    if (map?.[1]) addresses.add(map[1])
    else if (line !== '' && !line.startsWith('#')) addresses.add(line)
  }
  return [...addresses]
}

function expiresSoon(url: URL, now: number): boolean {
  const expires = Number(url.searchParams.get('expires') ?? Infinity) * 1000
  return expires - now < MARGIN
}
