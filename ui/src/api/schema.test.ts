import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'

it('the types are those of the coordinator’s description; if not, run `npm run api`', async () => {
  const path = 'src/api/generated/schema.ts'
  const types = await openapiTS(pathToFileURL('../coordinator/openapi.json'))
  const source = `${COMMENT_HEADER}${astToString(types)}`
  const written = await format(source, { ...(await resolveConfig(path)), filepath: path })
  expect(readFileSync(path, 'utf8')).toBe(written)
})
