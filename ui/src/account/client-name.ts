/** What programs call themselves is long and mostly about others; this is what a person would say. Pure. */

export type ClientName = Readonly<{ browser: string; system: string | undefined }>

/** In this order: most browsers also name those that they want to be taken for. */
const BROWSERS = [
  ['Edge', /\bEdg(A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|CriOS|Chromium)\//],
  ['Safari', /\bSafari\//],
] as const

const SYSTEMS = [
  ['Android', /Android/],
  ['iPhone', /iPhone/],
  ['iPad', /iPad/],
  ['Windows', /Windows/],
  ['macOS', /Mac OS X/],
  ['Linux', /Linux/],
] as const

const firstOf = (list: readonly (readonly [string, RegExp])[], text: string) =>
  list.find(([, pattern]) => pattern.test(text))?.[0]

/** `undefined` for what is no browser; then its own name says it best. */
export function clientName(userAgent: string): ClientName | undefined {
  const browser = firstOf(BROWSERS, userAgent)
  return browser ? { browser, system: firstOf(SYSTEMS, userAgent) } : undefined
}
