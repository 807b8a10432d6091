/** An answer together with when it was received: the age of a fact is part of the fact. */
import { readNow, type Now } from '@/hooks/use-now'

export type Heard<T> = Readonly<{ value: T; at: Now }>

export const heard = <T>(value: T): Heard<T> => ({ value, at: readNow() })

/** When two facts are shown as one, they are as old as the older. */
export const keepTime = <T, U>(one: Heard<T>, value: U): Heard<U> => ({ value, at: one.at })
