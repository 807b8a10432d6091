/** What can go wrong with a request, and the sentence for it in the language of the page. */
import type { Language } from '@/i18n/direction'
import type { WriteText } from '@/i18n/use-text'
import type { ErrorBody, ProblemCode } from './model'
import { limitFrom, type StreamLimit } from './stream-limit'

/** The coordinator answered, and said no. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'

  constructor(
    readonly status: number,
    readonly code: ProblemCode,
    readonly sentences: Readonly<Record<Language, string>>,
    /** Finds the request in the coordinator's log; empty when the answer was not the coordinator's. */
    readonly correlationId: string,
    /** For the technician, in English: which field, which limit. */
    readonly details?: string,
    /** The limit that was reached, when that is what it was. */
    readonly limit?: StreamLimit,
  ) {
    super(`${status} ${code}: ${sentences.en} (${correlationId})`)
  }
}

/** Nothing answered, or something that is not the coordinator. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

/** Reads an error answer; anything but the coordinator's envelope counts as unreachable. */
export function errorFrom(status: number, body: unknown): RefusedError | UnreachableError {
  if (!isEnvelope(body)) return new UnreachableError(`status ${status} without an error envelope`)
  const { code, message_en, message_ar, correlation_id, details } = body.error
  const sentences = { en: message_en, ar: message_ar }
  const limit = limitFrom(body.error)
  return new RefusedError(status, code, sentences, correlation_id, details ?? undefined, limit)
}

function isEnvelope(body: unknown): body is ErrorBody {
  if (typeof body !== 'object' || body === null || !('error' in body)) return false
  const { error } = body
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string' &&
    'message_en' in error &&
    typeof error.message_en === 'string' &&
    'message_ar' in error &&
    typeof error.message_ar === 'string'
  )
}

/** What to tell the person. */
export function errorSentence(error: unknown, language: Language, text: WriteText): string {
  if (error instanceof RefusedError) return error.sentences[language]
  if (error instanceof UnreachableError) return text('errors.unreachable')
  return text('errors.unexpected')
}

/** Somebody else changed the same thing since it was read. */
export const isConflict = (error: unknown): boolean =>
  error instanceof RefusedError && error.code === 'conflict'

export const isMissing = (error: unknown): boolean =>
  error instanceof RefusedError && error.status === 404

/** Nobody is signed in. A wrong password or code is refused with 401 as well and says nothing of that. */
export const isUnauthenticated = (error: unknown): boolean =>
  error instanceof RefusedError && error.code === 'unauthenticated'
