/** Lists come in pages; what shows a whole list asks for all of them. */

export type Page<T> = { items: T[]; next?: string | null | undefined }
export type PageQuery = { limit: number; after?: string }

const LIMIT = 1000
/** Far above any installation; a server that never ends its list must not keep us asking. */
const MOST_PAGES = 50

export async function everyPage<T>(ask: (query: PageQuery) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let after: string | undefined
  for (let count = 0; count < MOST_PAGES; count++) {
    const page = await ask(after === undefined ? { limit: LIMIT } : { limit: LIMIT, after })
    items.push(...page.items)
    if (!page.next) break
    after = page.next
  }
  return items
}
