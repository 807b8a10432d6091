/** The coordinator's API, for what a spec must know or bring about before it looks at the page. */
import { expect, type APIRequestContext } from '@playwright/test'
import type { components } from '@api'

type Schemas = components['schemas']
export type Camera = Schemas['Camera']
export type Span = Schemas['Span']

const SECOND = 1000

export class Centre {
  readonly #request: APIRequestContext

  constructor(request: APIRequestContext) {
    this.#request = request
  }

  async camera(name: string): Promise<Camera> {
    const { items } = await this.#get<Schemas['Page_Camera']>('/api/v1/cameras?limit=1000')
    const camera = items.find((one) => one.name === name)
    if (!camera) throw new Error(`no camera ${name}; there are ${items.map((one) => one.name)}`)
    return camera
  }

  async spans(camera: string, from: number, to: number): Promise<Span[]> {
    const query = new URLSearchParams({
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
    })
    return (await this.#get<Schemas['Timeline']>(`/api/v1/cameras/${camera}/timeline?${query}`))
      .spans
  }

  async change(camera: string, change: Schemas['CameraChange']): Promise<void> {
    const answer = await this.#request.patch(`/api/v1/cameras/${camera}`, {
      headers: { 'X-Requested-With': 'cctv' },
      data: change,
    })
    expect(answer.status(), await answer.text()).toBe(200)
  }

  record(camera: string, recording: Schemas['RecordingMode']): Promise<void> {
    return this.change(camera, { recording })
  }

  async createUser(user: Schemas['NewUser']): Promise<Schemas['User']> {
    return this.#create('/api/v1/iam/users', user)
  }

  async createGroup(
    group: Omit<Schemas['GroupReplacement'], 'revision'>,
  ): Promise<Schemas['Group']> {
    return this.#create('/api/v1/iam/groups', group)
  }

  /** The newest stretch of at least `seconds` of footage, as soon as there is one. */
  async footage(camera: string, seconds: number, place?: Schemas['Place']): Promise<Stretch> {
    let found: Stretch | undefined
    await expect
      .poll(
        async () => {
          const now = Date.now()
          const spans = await this.spans(camera, now - 3600 * SECOND, now)
          const fits = (span: Span) =>
            span.state === 'recorded' && (place === undefined || span.place === place)
          found = joined(spans.filter(fits)).findLast(
            (stretch) => stretch.to - stretch.from >= seconds * SECOND,
          )
          return found !== undefined
        },
        {
          message: `${seconds} s of footage of camera ${camera}`,
          timeout: 90_000,
        },
      )
      .toBe(true)
    if (!found) throw new Error('unreachable: polled until found')
    return found
  }

  /**
   * Switches recording off and on again, and waits until both sides of the gap are known.
   * The answer is the gap.
   */
  async makeGap(camera: string, seconds: number): Promise<Stretch> {
    const begun = Date.now()
    let gap: Stretch | undefined
    const look = async () => {
      const spans = await this.spans(camera, begun - 30 * SECOND, Date.now())
      const missing = spans.filter((span) => span.state === 'missing' && ends(span).to > begun)
      gap = joined(missing).at(-1)
      return { gap, spans }
    }
    await this.record(camera, 'off')
    await expect
      .poll(async () => length((await look()).gap), { timeout: 60_000 })
      .toBeGreaterThanOrEqual(seconds * SECOND)
    await this.record(camera, 'continuous')
    await expect
      .poll(
        async () => {
          const { spans, gap: last } = await look()
          const after = spans.filter(
            (span) => span.state === 'recorded' && last && ends(span).from >= last.to,
          )
          return joined(after).reduce((sum, stretch) => sum + length(stretch), 0)
        },
        { message: 'footage after the gap', timeout: 90_000 },
      )
      .toBeGreaterThanOrEqual(8 * SECOND)
    if (!gap) throw new Error('unreachable: polled until found')
    return gap
  }

  async #create<T>(path: string, data: unknown): Promise<T> {
    const headers = { 'X-Requested-With': 'cctv' }
    const answer = await this.#request.post(path, { headers, data })
    expect(answer.status(), `${path}: ${await answer.text()}`).toBe(201)
    return (await answer.json()) as T
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await this.#request.get(path)
    expect(answer.status(), `${path}: ${await answer.text()}`).toBe(200)
    return (await answer.json()) as T
  }
}

/** From and to, in ms of UTC. */
export type Stretch = Readonly<{ from: number; to: number }>

const ends = (span: Span): Stretch => ({
  from: Date.parse(span.from),
  to: Date.parse(span.to),
})
const length = (stretch: Stretch | undefined): number => (stretch ? stretch.to - stretch.from : 0)

/** Spans that touch, as one. */
function joined(spans: readonly Span[]): Stretch[] {
  const stretches: Stretch[] = []
  for (const { from, to } of spans.map(ends)) {
    const last = stretches.at(-1)
    if (last && from - last.to < 100) stretches[stretches.length - 1] = { from: last.from, to }
    else stretches.push({ from, to })
  }
  return stretches
}
