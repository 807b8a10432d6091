import { describe, expect, it, vi } from 'vitest'
import { addressesOf, SignedUrls } from './signed-urls'

const base = 'http://centre.test/api/v1/playback/p/playlist.m3u8'
const playlistUntil = (expires: number) => `#EXTM3U
#EXT-X-MAP:URI="segments/a.mp4?expires=${expires}&signature=s",BYTERANGE="700@0"
#EXTINF:1.0,
#EXT-X-BYTERANGE:1000@700
segments/a.mp4?expires=${expires}&signature=s
#EXTINF:1.0,
#EXT-X-BYTERANGE:1000@0\r
segments/b.mp4?expires=${expires}&signature=t\r
#EXT-X-ENDLIST
`

describe('addressesOf', () => {
  it('finds each address once, of init parts too', () => {
    expect(addressesOf(playlistUntil(5))).toEqual([
      'segments/a.mp4?expires=5&signature=s',
      'segments/b.mp4?expires=5&signature=t',
    ])
  })
})

describe('SignedUrls', () => {
  it('leaves alone what still works', async () => {
    const read = vi.fn(() => Promise.resolve(''))
    const urls = new SignedUrls(read)
    const address = 'segments/a.mp4?expires=1000&signature=s'
    expect(await urls.current(address, base, 900_000)).toBe(
      'http://centre.test/api/v1/playback/p/segments/a.mp4?expires=1000&signature=s',
    )
    expect(read).not.toHaveBeenCalled()
  })

  it('renews once for all who wait, and keeps the new one', async () => {
    const read = vi.fn(() => Promise.resolve(playlistUntil(2000)))
    const urls = new SignedUrls(read)
    const old = (name: string) =>
      urls.current(`segments/${name}.mp4?expires=1000&signature=old`, base, 990_000)
    const [one, other] = await Promise.all([old('a'), old('b')])
    expect(one).toContain('a.mp4?expires=2000&signature=s')
    expect(other).toContain('b.mp4?expires=2000&signature=t')
    expect(await old('b')).toContain('expires=2000')
    expect(read).toHaveBeenCalledTimes(1)
  })

  it('passes on that the playlist cannot be read, and tries again next time', async () => {
    const read = vi
      .fn<() => Promise<string>>()
      .mockRejectedValueOnce(new Error('gone'))
      .mockResolvedValueOnce(playlistUntil(2000))
    const urls = new SignedUrls(read)
    const ask = () => urls.current('segments/a.mp4?expires=1&signature=old', base, 990_000)
    await expect(ask()).rejects.toThrow('gone')
    expect(await ask()).toContain('expires=2000')
  })

  it('leaves an unsigned address alone', async () => {
    const urls = new SignedUrls(() => Promise.reject(new Error('not to be asked')))
    expect(await urls.current('/clip.mp4', base, 1e15)).toBe('http://centre.test/clip.mp4')
  })
})
