// An OpenID Connect provider as an authority would run one (the npm package oidc-provider), with two additions for
// the tests of the coordinator: accounts are told to it, and what it signs can be spoilt on its way out.
//
// Usage: provider.mjs PORT [CALLBACK] (0 for a free port; where the client wants people back). Prints the issuer once it serves. Ends with its standard input.
//
//   PUT  /test/accounts   {"layla": {"name": "Layla", ...}}            the people by subject, and their claims
//   PUT  /test/spoil      {"claims": {...}, "algorithm": "none"}          how the next ID tokens are spoilt; {} for not
//   POST /test/keys                                                       new signing keys
//   POST /test/token      {"claims": {...}, "algorithm"?, "type"?}        an access token with these claims
import { createServer } from 'node:http'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import * as jose from 'jose'
import { Provider } from 'oidc-provider'

const CLIENT = 'cctv'
const SECRET = 'a-secret-for-tests-of-the-coordinator'
const CALLBACK = process.argv[3] ?? 'https://cctv.example/api/v1/session/oidc/callback'

let accounts = {}
let spoil = {}
let signing

function makeKeys() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: crypto.randomUUID() }
  return { privateKey, jwk }
}

function configuration() {
  return {
    jwks: { keys: [signing.jwk] },
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'agency', 'groups'],
      email: ['email', 'email_verified'],
    },
    findAccount: (_, login) =>
      accounts[login] && { accountId: login, claims: () => ({ ...accounts[login], sub: login }) },
    cookies: { keys: ['a key of the cookies'] },
    ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 300, AccessToken: 300 },
    features: { devInteractions: { enabled: true } },
  }
}

const encode = (value) => Buffer.from(value).toString('base64url')

// Signs with the provider's key, or as somebody would who has not got it.
async function sign(claims, { algorithm = 'RS256', type = 'JWT', kid = signing.jwk.kid } = {}) {
  const head = `${encode(JSON.stringify({ alg: algorithm, typ: type, kid }))}.${encode(JSON.stringify(claims))}`
  if (algorithm === 'none') return `${head}.`
  if (algorithm === 'HS256') {
    const pem = await jose.exportSPKI(await jose.importJWK({ kty: 'RSA', n: signing.jwk.n, e: signing.jwk.e }, 'RS256', { extractable: true }))
    return `${head}.${createHmac('sha256', pem).update(head).digest('base64url')}`
  }
  return new jose.SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: type, kid }).sign(signing.privateKey)
}

// A claim that is null is taken out; a number with a sign before it is added.
function changed(claims, changes = {}) {
  const result = { ...claims }
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete result[name]
    else if (typeof value === 'string' && /^[+-]\d+$/.test(value)) result[name] += Number(value)
    else result[name] = value
  }
  return result
}

let handler
let issuer

function serve() {
  const provider = new Provider(issuer, configuration())
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.path !== '/token' || !ctx.body?.id_token || Object.keys(spoil).length === 0) return
    const claims = changed(jose.decodeJwt(ctx.body.id_token), spoil.claims)
    ctx.body = { ...ctx.body, id_token: await sign(claims, spoil) }
  })
  handler = provider.callback()
}

async function body(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}

async function test(request, response) {
  const told = await body(request)
  let answer = {}
  switch (request.url) {
    case '/test/accounts':
      accounts = told
      break
    case '/test/spoil':
      spoil = told
      break
    case '/test/keys':
      signing = makeKeys()
      serve()
      break
    case '/test/token': {
      const now = Math.floor(Date.now() / 1000)
      const claims = changed({ iss: issuer, aud: 'cctv-api', iat: now, exp: now + 300 }, told.claims)
      answer = { token: await sign(claims, { type: 'at+jwt', ...told }) }
      break
    }
    default:
      response.statusCode = 404
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(answer))
}

const server = createServer((request, response) => {
  if (!request.url.startsWith('/test/')) return handler(request, response)
  test(request, response).catch((error) => {
    response.statusCode = 500
    response.end(String(error))
  })
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`
  signing = makeKeys()
  serve()
  console.log(issuer)
})
process.stdin.on('end', () => process.exit()).resume()
