/** What is dragged onto a tile, as it travels in a drag of the browser. */

export type Dragged =
  /** Cameras from the list, each for a tile of its own. */
  Readonly<{ is: 'cameras'; ids: readonly string[] }> | Readonly<{ is: 'tile'; index: number }>

const TYPE = 'application/x-cctv-wall'

export function startDrag(transfer: DataTransfer, what: Dragged): void {
  transfer.setData(TYPE, JSON.stringify(what))
  transfer.effectAllowed = 'copyMove'
}

/** What it is may only be read when it is dropped. */
export const isDragged = (transfer: DataTransfer): boolean => transfer.types.includes(TYPE)

/** `undefined` for what comes from elsewhere: another program can drop anything here. */
export function readDragged(transfer: DataTransfer): Dragged | undefined {
  try {
    const what = JSON.parse(transfer.getData(TYPE)) as Partial<Record<string, unknown>>
    if (what.is === 'tile' && Number.isInteger(what.index)) {
      return { is: 'tile', index: what.index as number }
    }
    if (what.is === 'cameras' && Array.isArray(what.ids)) {
      return { is: 'cameras', ids: what.ids.filter((id) => typeof id === 'string') }
    }
    return undefined
  } catch {
    return undefined
  }
}
