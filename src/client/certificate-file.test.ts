import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyCommand } from './certificate-file.ts'

test('verifyCommand() is one word for the shell each', () => {
  assert.equal(
    verifyCommand('a.json', 'keyward.example/a+1f+A/b='),
    'keyward verify a.json --key keyward.example/a+1f+A/b=',
  )
  assert.equal(verifyCommand('a b', "it's+1"), "keyward verify 'a b' --key 'it'\\''s+1'")
})
