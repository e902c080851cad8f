// Files that were given out once are proved for ever.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { parseStatement, formatStatement } from '#crypto/destroy-certificate.ts'
import { verifyFile } from './verify.ts'

const vector = (name: string): string =>
  resolve(import.meta.dirname, '../../test/vectors/destroy-certificate', `${name}.json`)

const log = (account: string, key: string): string => `keyward/84726709438dc498/audit/${account}+${key}`

test('verifyFile() proves the certificates of version 1', () => {
  for (const name of ['v1-owner', 'v1-part']) {
    const { verifier } = JSON.parse(readFileSync(vector(name), 'utf8'))
    assert.ok(verifier.startsWith(log('', '').slice(0, 30)))
    assert.match(verifyFile(vector(name), verifier), /^proved: the key crn:.*\n.*\(somebody asked for it\)/)
    assert.throws(() => verifyFile(vector(name), log('a'.repeat(32), 'x')), /not of the key that you gave/)
  }
})

test('parseStatement() reads what formatStatement() writes, and nothing near it', () => {
  const { statement } = JSON.parse(readFileSync(vector('v1-owner'), 'utf8'))
  const text = String(statement).split('\n\n')[0] + '\n'
  const parsed = parseStatement(text)
  assert.ok(parsed)
  assert.equal(formatStatement(parsed), text)
  for (const wrong of [
    '',
    text.slice(0, -1),
    `${text}\n`,
    text.replace('v1', 'v2'),
    text.replace('requested', 'bored'),
  ])
    assert.equal(parseStatement(wrong), null)
  assert.equal(parseStatement(text.replace(/(version .*\n)+/, '')), null, 'a key has versions')
  assert.equal(parseStatement(text.replace('data-keys 6', 'data-keys 06')), null)
})
