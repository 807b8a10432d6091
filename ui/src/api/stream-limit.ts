/** What a refused stream says about the limit that was reached. */
import type { Problem } from './model'

export type StreamLimit = Readonly<{
  current: number
  limit: number
  /** Whose limit: of the agency, or of all together. */
  bound: 'AGENCY' | 'TOTAL'
  agency: string | undefined
  /** Whether the reduced picture may be had instead. */
  offersReduced: boolean
}>

type Said = Pick<Problem, 'current' | 'limit' | 'bound' | 'agency' | 'offer'>

/** Read from a refusal, or from the reason of a closed connection; `undefined` when it says nothing of it. */
export function limitFrom(said: Said | undefined): StreamLimit | undefined {
  if (said?.current == null || said.limit == null) return undefined
  return {
    current: said.current,
    limit: said.limit,
    bound: said.bound ?? 'AGENCY',
    agency: said.agency ?? undefined,
    offersReduced: said.offer === 'REDUCED',
  }
}
