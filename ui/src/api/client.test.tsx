import { http, HttpResponse } from 'msw'
import { describe, expect, it } from 'vitest'
import { server } from '../../testing/server'
import { api, ask } from './client'
import { errorSentence, RefusedError, UnreachableError } from './errors'

const sites = () => ask(api.GET('/api/v1/sites', { params: { query: {} } }))
const answer = (status: number, body: string) =>
  server.use(http.get('/api/v1/sites', () => new HttpResponse(body, { status })))
const failure = () =>
  sites().then(
    () => undefined,
    (error: unknown) => error,
  )
const text = (id: string) => id

describe('an answer', () => {
  it('that says no keeps code, sentences and the number for support', async () => {
    const error = await failure()
    expect(error).toBeInstanceOf(RefusedError)
    expect(error).toMatchObject({ status: 401, code: 'unauthenticated' })
    expect(errorSentence(error, 'en', text)).toBe('Sign in to continue.')
    expect(errorSentence(error, 'ar', text)).toBe('سجّل الدخول للمتابعة.')
    expect((error as RefusedError).correlationId).toMatch(/^[0-9a-f]{32}$/)
  })

  it.each([
    [502, '<html>Bad gateway</html>'],
    [500, '{}'],
    [500, '{"error":null}'],
    [500, '{"error":{"code":7}}'],
    [503, ''],
  ])('of %d with %j is not the coordinator’s', async (status, body) => {
    answer(status, body)
    const error = await failure()
    expect(error).toBeInstanceOf(UnreachableError)
    expect(errorSentence(error, 'en', text)).toBe('errors.unreachable')
  })

  it('that never comes is told from one that says no', async () => {
    server.use(http.get('/api/v1/sites', () => HttpResponse.error()))
    expect(await failure()).toBeInstanceOf(UnreachableError)
  })

  it('without a body is an answer', async () => {
    localStorage.setItem('mockSignedIn', 'admin')
    await expect(ask(api.DELETE('/api/v1/session'))).resolves.toBeUndefined()
  })
})
