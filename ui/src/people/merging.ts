/**
 * What becomes of a half-filled form when somebody else changes the same thing: nothing that was
 * typed is lost, and nothing that the other changed is undone unseen. Pure.
 */
export type Value = string | readonly string[]
export type Draft = Readonly<Record<string, Value>>

/** A field that the other changed. */
export type Difference<D extends Draft> = Readonly<{
  field: keyof D
  before: Value
  now: Value
  /** It was changed here as well, so what stands in the form replaces what the other wrote. */
  both: boolean
}>

export const same = (one: Value, other: Value): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

export const sameDraft = <D extends Draft>(one: D, other: D): boolean =>
  Object.keys(one).every((field) => same(one[field] ?? '', other[field] ?? ''))

/** `base` is what the form began with, `mine` what it says, `theirs` what stands now. */
export function merge<D extends Draft>(base: D, mine: D, theirs: D) {
  const differences: Difference<D>[] = []
  const merged: Record<string, Value> = { ...mine }
  for (const field of Object.keys(base)) {
    const [before, now, typed] = [base[field] ?? '', theirs[field] ?? '', mine[field] ?? '']
    if (same(before, now) || same(typed, now)) continue
    const both = !same(before, typed)
    differences.push({ field, before, now, both })
    if (!both) merged[field] = now
  }
  return { draft: merged as D, differences }
}
