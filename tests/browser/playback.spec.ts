import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { clock, nextPictures, shownPicture, untilPlaying, type Picture } from './pictures'
import { stand } from './stand'

const SECOND = 1000
/** How far the page's clock may be from the time drawn into the picture: clock uncertainty and a frame. */
const CLOCK_TOLERANCE = 400

const open = (page: Page, camera: string, at?: number) =>
  page.goto(`/cameras/${camera}${at === undefined ? '' : `?at=${new Date(at).toISOString()}`}`)

const stampOf = (picture: Picture | undefined) => {
  if (!picture?.stamp) throw new Error('no stamp can be read in the picture')
  return picture.stamp
}

/** Stands still, so that the clock and the picture are of one moment. */
async function pause(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Pause' }).click()
  await expect(page.locator('video')).toHaveAttribute('data-state', 'paused')
}

async function expectClockOfPicture(page: Page): Promise<void> {
  await expect
    .poll(async () => Math.abs((await clock(page)) - stampOf(await shownPicture(page)).wall), {
      message: 'between the page’s clock and the time in the picture',
    })
    .toBeLessThan(CLOCK_TOLERANCE)
}

test('the first frame is a picture of the moment asked for', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  const { from } = await centre.footage(id, 20)
  const at = from + 8 * SECOND
  await open(page, id, at)
  const pictures = await nextPictures(page, 12)
  const frames = pictures.map((picture) => stampOf(picture).frame)
  expect(frames, 'pictures in order').toEqual([...frames].sort((a, b) => a - b))
  expect(new Set(frames).size, 'pictures that move').toBeGreaterThan(6)
  expect(Math.abs(stampOf(pictures[0]).wall - at)).toBeLessThan(2_500)
  await pause(page)
  await expectClockOfPicture(page)
})

test('a picture with sound plays too', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.audioCamera)
  const { from } = await centre.footage(id, 15)
  await open(page, id, from + 5 * SECOND)
  await untilPlaying(page)
  await page.getByRole('button', { name: 'Sound on' }).click()
  const pictures = await nextPictures(page, 12)
  expect(stampOf(pictures.at(-1)).frame).toBeGreaterThan(stampOf(pictures[0]).frame)
  const decoded = await page
    .locator('video')
    .evaluate(
      (video) =>
        (video as HTMLVideoElement & { webkitAudioDecodedByteCount: number })
          .webkitAudioDecodedByteCount,
    )
  expect(decoded, 'bytes of sound decoded').toBeGreaterThan(0)
})

test('a seek goes where the timeline was clicked', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  const { from } = await centre.footage(id, 25)
  await open(page, id, from + 18 * SECOND)
  await untilPlaying(page)
  await pause(page)
  const lane = page.getByRole('slider', { name: 'Timeline of the day' })
  await lane.focus()
  // From a day to a minute, which is the closest one can look.
  for (let count = 0; count < 12; count++) await page.keyboard.press('+')
  const box = await lane.boundingBox()
  const playhead = await lane.locator('[data-mark=playhead]').boundingBox()
  if (!box || !playhead) throw new Error('the lane or its playhead is not on the page')
  const [here, step] = [playhead.x + playhead.width / 2, (box.width / 60) * 10]
  const back = here - step > box.x
  const wanted = (await clock(page)) + (back ? -10 : 10) * SECOND
  await page.mouse.click(here + (back ? -step : step), box.y + box.height / 2)
  await expect.poll(async () => Math.abs((await clock(page)) - wanted)).toBeLessThan(2_000)
  await expectClockOfPicture(page)
})

test('the keys step by pictures', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  const { from } = await centre.footage(id, 15)
  await open(page, id, from + 6 * SECOND)
  await untilPlaying(page)
  await pause(page)
  const frame = async () => stampOf(await shownPicture(page)).frame
  const start = await frame()
  await page.getByRole('button', { name: 'Next picture' }).click()
  await expect.poll(frame).toBe(start + 1)
  await page.getByRole('button', { name: 'Next picture' }).click()
  await expect.poll(frame).toBe(start + 2)
  await page.getByRole('button', { name: 'Previous picture' }).click()
  await expect.poll(frame).toBe(start + 1)
})

test('a gap is stepped over, and said', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  await centre.footage(id, 10)
  const gap = await centre.makeGap(id, 4)
  try {
    await open(page, id, gap.from - 3 * SECOND)
    await untilPlaying(page)
    await expect(page.getByText(/^Skipped .* without recording/)).toBeVisible({
      timeout: 30_000,
    })
    await pause(page)
    const { wall } = stampOf(await shownPicture(page))
    expect(wall, 'a picture from after the gap').toBeGreaterThanOrEqual(gap.to - SECOND)
    await expectClockOfPicture(page)
  } finally {
    await centre.record(id, 'continuous')
  }
})

test('a seek into a gap goes to the footage after it', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  await centre.footage(id, 10)
  const gap = await centre.makeGap(id, 4)
  await open(page, id, (gap.from + gap.to) / 2)
  const [picture] = await nextPictures(page, 1)
  expect(stampOf(picture).wall).toBeGreaterThanOrEqual(gap.to - SECOND)
})

test('footage that is only at the site plays, and says where it comes from', async ({
  page,
  centre,
}) => {
  const { id } = await centre.camera(stand.edgeOnlyCamera)
  const { from } = await centre.footage(id, 15, 'edge')
  await open(page, id, from + 5 * SECOND)
  const pictures = await nextPictures(page, 6)
  expect(Math.abs(stampOf(pictures[0]).wall - from - 5 * SECOND)).toBeLessThan(3_000)
  await expect(page.getByText('From the site')).toBeVisible()
  const edge = page.locator('[role=slider] [data-look=edge]').first()
  await expect(edge).toHaveAttribute('fill', /^url/)
})

test('the present is shown a few seconds behind, and goes on', async ({ page, centre }) => {
  const { id } = await centre.camera(stand.camera)
  await centre.footage(id, 10)
  await open(page, id)
  await untilPlaying(page)
  await expect(page.getByText(/^Live, \d+s behind$/)).toBeVisible()
  const [first] = await nextPictures(page, 1)
  const [later] = (await nextPictures(page, 24)).slice(-1)
  expect(stampOf(later).frame).toBeGreaterThan(stampOf(first).frame)
  expect(Date.now() - stampOf(later).wall, 'ms behind the camera').toBeLessThan(20_000)
})
