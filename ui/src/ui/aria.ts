/** A control without visible text must say what it is: one of these is required, never both. */
export type AriaLabel =
  | { 'aria-label': string; 'aria-labelledby'?: never }
  | { 'aria-labelledby': string; 'aria-label'?: never }
