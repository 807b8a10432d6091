/**
 * What is really on the screen: pictures as decoded and presented, and the stamp that the simulated
 * camera drew into each (`tests/camera-sim/src/stamp.rs`): which frame it is, and when it was made.
 */
import { expect, type Locator, type Page } from '@playwright/test'

export type Picture = Readonly<{
  /** On the player's own clock, in seconds. */
  mediaTime: number
  /** When it was on the screen, by the page's clock; in ms of UTC. */
  shownAt: number
  width: number
  height: number
  /** `undefined` when no stamp could be read. */
  stamp: Readonly<{ camera: number; frame: number; wall: number }> | undefined
}>

const video = (page: Page) => page.locator('video')

/** Waits until the player says that pictures follow each other. */
export const untilPlaying = (page: Page) =>
  expect(video(page)).toHaveAttribute('data-state', 'playing', {
    timeout: 30_000,
  })

/** The next pictures that come on the screen. */
export const nextPictures = (page: Page, count: number): Promise<Picture[]> =>
  video(page).evaluate(watchPictures, { count, fresh: true })

/** The same of one video among several. */
export const nextPicturesOf = (video: Locator, count: number): Promise<Picture[]> =>
  video.evaluate(watchPictures, { count, fresh: true })

/** The picture that is on the screen, of a video that stands still. */
export async function shownPicture(page: Page): Promise<Picture> {
  const [picture] = await video(page).evaluate(watchPictures, {
    count: 1,
    fresh: false,
  })
  if (!picture) throw new Error('no picture')
  return picture
}

/** The instant the page says it shows, in ms of UTC. */
export async function clock(page: Page): Promise<number> {
  const time = page.getByTestId('picture-clock')
  await expect(time).toHaveAttribute('datetime', /T/)
  return Date.parse((await time.getAttribute('datetime')) ?? '')
}

/** Runs inside the page, so it carries everything it needs. */
function watchPictures(
  element: Element,
  { count, fresh }: { count: number; fresh: boolean },
): Promise<Picture[]> {
  const video = element as HTMLVideoElement
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('no canvas')

  const readStamp = () => {
    const [columns, rows, sync] = [40, 3, 0b1011_0010]
    const block = 8 * Math.max(1, Math.floor((canvas.width + 320) / 640))
    if (canvas.width < block * columns || canvas.height < block * rows) return undefined
    const levels: number[] = []
    for (let index = 0; index < columns * rows; index++) {
      const x = (index % columns) * block + block / 4
      const y = Math.floor(index / columns) * block + block / 4
      const { data } = context.getImageData(x, y, block / 2, block / 2)
      let sum = 0
      for (let at = 0; at < data.length; at += 4) sum += data[at + 1] ?? 0
      levels.push(sum / (data.length / 4))
    }
    const head = levels.slice(0, 8)
    const whites = head.filter((_, index) => (sync >> (7 - index)) & 1)
    const blacks = head.filter((_, index) => !((sync >> (7 - index)) & 1))
    const threshold = (Math.min(...whites) + Math.max(...blacks)) / 2
    const bytes: number[] = []
    for (let at = 0; at < levels.length; at += 8) {
      bytes.push(
        levels.slice(at, at + 8).reduce((bits, level) => bits * 2 + (level > threshold ? 1 : 0), 0),
      )
    }
    let crc = 0
    for (const byte of bytes.slice(1, 13)) {
      crc ^= byte << 8
      for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
      crc &= 0xffff
    }
    const number = (from: number, to: number) =>
      bytes.slice(from, to).reduce((sum, byte) => sum * 256 + byte, 0)
    if (bytes[0] !== sync || crc !== number(13, 15)) return undefined
    return { camera: number(1, 3), frame: number(3, 7), wall: number(7, 13) }
  }
  const take = (mediaTime: number): Picture => {
    const shownAt = Date.now()
    canvas.width = video.videoWidth
    canvas.height = video.videoHeight
    context.drawImage(video, 0, 0)
    return {
      mediaTime,
      shownAt,
      width: canvas.width,
      height: canvas.height,
      stamp: readStamp(),
    }
  }
  if (!fresh) return Promise.resolve([take(video.currentTime)])
  return new Promise((resolve, reject) => {
    const pictures: Picture[] = []
    const onFrame: VideoFrameRequestCallback = (_, { mediaTime }) => {
      pictures.push(take(mediaTime))
      if (pictures.length >= count) resolve(pictures)
      else video.requestVideoFrameCallback(onFrame)
    }
    video.requestVideoFrameCallback(onFrame)
    setTimeout(() => reject(new Error(`${pictures.length} of ${count} pictures in 20 s`)), 20_000)
  })
}
