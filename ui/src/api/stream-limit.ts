/** What a refused stream says about the limit that was reached. */

export type StreamLimit = Readonly<{
  current: number
  limit: number
  /** Whose limit: of the agency, or of all together. */
  bound: 'AGENCY' | 'TOTAL'
  agency: string | undefined
  /** Whether the reduced picture may be had instead. */
  offersReduced: boolean
}>

/** Read from an error, or from the reason of a closed connection; `undefined` when it says nothing of it. */
export function limitFrom(body: unknown): StreamLimit | undefined {
  if (!isObject(body)) return undefined
  if ('details' in body && isObject(body.details)) return limitFrom(body.details)
  const { current, limit, bound, agency, offer } = body as Record<string, unknown>
  if (typeof current !== 'number' || typeof limit !== 'number') return undefined
  return {
    current,
    limit,
    bound: bound === 'TOTAL' ? 'TOTAL' : 'AGENCY',
    agency: typeof agency === 'string' ? agency : undefined,
    offersReduced: offer === 'REDUCED',
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
