/** Short notices about something the person just did. */
import { create } from 'zustand'

export type ToastKind = 'done' | 'failed'
export type ToastMessage = Readonly<{ id: number; kind: ToastKind; text: string }>

type Toasts = {
  messages: readonly ToastMessage[]
  show: (kind: ToastKind, text: string) => void
  dismiss: (id: number) => void
}

/** More than this many at once are noise; the oldest go first. */
const KEPT = 3

let lastId = 0

export const useToasts = create<Toasts>()((set) => ({
  messages: [],
  show: (kind, text) =>
    set(({ messages }) => ({ messages: [...messages, { id: ++lastId, kind, text }].slice(-KEPT) })),
  dismiss: (id) => set(({ messages }) => ({ messages: messages.filter((one) => one.id !== id) })),
}))
