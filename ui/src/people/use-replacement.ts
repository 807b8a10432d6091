import { useMutation } from '@tanstack/react-query'
import { isConflict } from '@/api/errors'
import type { Draft } from './merging'
import { useDraft } from './use-draft'

type Options<T, D> = Readonly<{
  /** As it was last heard of. */
  thing: T
  draftOf: (thing: T) => D
  put: (draft: D, revision: number) => Promise<T>
  /** Asks how it stands now, after somebody else was faster. */
  again: () => Promise<T>
  onSaved: (saved: T) => Promise<void> | void
}>

/** A form that replaces something, and loses nothing when somebody else does the same. */
export function useReplacement<T extends Readonly<{ revision: number }>, D extends Draft>(
  options: Options<T, D>,
) {
  const form = useDraft(options.thing, options.draftOf)
  const save = useMutation({
    mutationFn: (draft: D) => options.put(draft, form.revision),
    onSuccess: async (saved) => {
      form.restart(saved)
      await options.onSaved(saved)
    },
    onError: async (error) => {
      if (isConflict(error)) form.meet(await options.again())
    },
  })
  return { ...form, save, conflict: isConflict(save.error) }
}
