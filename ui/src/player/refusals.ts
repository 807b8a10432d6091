/** Asks again what a WebSocket that was closed could not say: a page is not told why. */
import { api, ask } from '@/api/client'
import { RefusedError } from '@/api/errors'
import type { LiveOrder } from './live-source'

/** Why the camera may not be seen; `undefined` when it may, or when nobody answers. */
export const viewRefusal = ({ camera }: LiveOrder): Promise<RefusedError | undefined> =>
  refusalIn(ask(api.GET('/api/v1/cameras/{id}', { params: { path: { id: camera } } })))

/**
 * Which limit is reached, by reserving what cannot be had; `undefined` when there is room by now, or
 * when nobody answers. What was reserved after all is given back: the next try takes its own.
 */
export async function limitRefusal({
  camera,
  rendition,
}: LiveOrder): Promise<RefusedError | undefined> {
  const tier = rendition === 'MAIN' ? 'FULL' : 'REDUCED'
  const reserved = ask(api.POST('/api/v1/stream/reserve', { body: { camera_id: camera, tier } }))
  const refusal = await refusalIn(reserved)
  if (!refusal) {
    await reserved
      .then(({ reservation_id: id }) =>
        ask(api.DELETE('/api/v1/stream/release/{id}', { params: { path: { id } } })),
      )
      // It ends by itself, a little later.
      .catch(() => undefined)
  }
  return refusal
}

const refusalIn = (request: Promise<unknown>): Promise<RefusedError | undefined> =>
  request.then(
    () => undefined,
    (error: unknown) => (error instanceof RefusedError ? error : undefined),
  )
