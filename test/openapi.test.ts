import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openapiFiles, openapiFolder } from '../scripts/openapi.ts'

test('the committed OpenAPI files are what the contracts say; npm run openapi rewrites them', () => {
  const files = openapiFiles()
  assert.deepEqual(readdirSync(openapiFolder).toSorted(), [...files.keys()].toSorted())
  for (const [file, content] of files) assert.equal(readFileSync(join(openapiFolder, file), 'utf8'), content, file)
})
