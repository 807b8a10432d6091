import { useState } from 'react'
import { merge, sameDraft, type Difference, type Draft } from './merging'

type Revised = Readonly<{ revision: number }>

/**
 * What a form holds of something that others may change too. What comes anew is taken over while
 * nothing has been typed; after that only by `meet`, which says what was changed.
 */
export function useDraft<T extends Revised, D extends Draft>(thing: T, draftOf: (thing: T) => D) {
  const [base, setBase] = useState(thing)
  const [draft, setDraft] = useState(() => draftOf(thing))
  const [differences, setDifferences] = useState<readonly Difference<D>[]>([])
  const before = draftOf(base)
  const dirty = !sameDraft(before, draft)
  if (thing.revision > base.revision && (!dirty || sameDraft(before, draftOf(thing)))) {
    // The same fields under a new revision: somebody was put into a group, say.
    setBase(thing)
    if (!dirty) setDraft(draftOf(thing))
  }
  return {
    draft,
    dirty,
    differences,
    /** To be named in the replacement. */
    revision: base.revision,
    set: (part: Partial<D>) => setDraft({ ...draft, ...part }),
    /** After saving. */
    restart: (saved: T) => {
      setBase(saved)
      setDraft(draftOf(saved))
      setDifferences([])
    },
    /** After a conflict: the next save goes on top of what stands now. */
    meet: (theirs: T) => {
      const merged = merge(before, draft, draftOf(theirs))
      setBase(theirs)
      setDraft(merged.draft)
      setDifferences(merged.differences)
    },
  }
}
