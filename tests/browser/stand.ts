/** The coordinator under test, as the environment names it. */

function demanded(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set; \`make e2e\` sets it`)
  return value
}

export const stand = {
  /** Where pages and API are served. */
  url: demanded('BASE_URL'),
  /** Where people come through the identity provider, and the provider's name. */
  signOnUrl: demanded('CCTV_SIGN_ON_URL'),
  issuer: demanded('CCTV_ISSUER'),
  login: process.env['CCTV_LOGIN'] ?? 'admin',
  password: demanded('CCTV_PASSWORD'),
  /** Name of the camera whose footage stays at its site until somebody looks at it. */
  edgeOnlyCamera: process.env['CCTV_EDGE_ONLY_CAMERA'] ?? 'station-roof',
  /** Name of a camera that sends H.264 without sound. */
  camera: process.env['CCTV_CAMERA'] ?? 'harbour-square',
  /** Name of a camera that sends H.264 with AAC. */
  audioCamera: process.env['CCTV_AUDIO_CAMERA'] ?? 'harbour-gate',
  /** Names of cameras that specs give to an agency, the first one playable in every browser. */
  agencyCameras: ['station-platform', 'station-hall'],
} as const
