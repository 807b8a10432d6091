/** The build of hls.js without what we do not use has the same types, but does not say so. */
declare module 'hls.js/light' {
  // eslint-disable-next-line no-restricted-imports
  export { default, type ErrorData, type HlsConfig, type LevelDetails } from 'hls.js'
}
