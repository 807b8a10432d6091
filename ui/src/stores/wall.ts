/** The wall as it was left, for whoever comes back to it without an address; kept in this browser. */
import { create } from 'zustand'
import { persist } from 'zustand/middleware'

type WallStore = {
  /** The search part of the wall's address. */
  last: string
  /** Whether the list of cameras is beside the wall. */
  panel: boolean
  remember: (search: string) => void
  setPanel: (shown: boolean) => void
}

/** In CSS pixels; on a narrower screen the list would be above the wall and not beside it. */
const NARROW = 768

export const useWallStore = create<WallStore>()(
  persist(
    (set) => ({
      last: '',
      panel: globalThis.innerWidth >= NARROW,
      remember: (last) => set({ last }),
      setPanel: (panel) => set({ panel }),
    }),
    {
      name: 'cctv.wall',
      version: 1,
      partialize: ({ last, panel }) => ({ last, panel }),
    },
  ),
)
