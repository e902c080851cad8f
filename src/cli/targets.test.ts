import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { targetsIn } from './targets.ts'
import type { Target } from './targets.ts'

const target: Target = {
  name: 'a',
  url: 'http://127.0.0.1:8080',
  accountId: 'a'.repeat(32),
  iamId: 'IBMid-a',
  userName: 'A',
  apiKey: 'key',
  ca: null,
  token: null,
}
const token = { value: 'token', renewAtMs: 1 }

function makeTargets(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-targets-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  let n = 0
  return targetsIn(folder, () => String((n += 1)))
}

test('a token is kept for as long as its target is the one that it was made for', (t) => {
  const targets = makeTargets(t)
  targets.write(target)
  targets.keepToken({ ...target, token })
  assert.deepEqual(targets.read('a').token, token)
})

test('a token that comes late brings back neither a target that was forgotten nor its API key', (t) => {
  const targets = makeTargets(t)
  targets.write(target)
  targets.remove('a')
  targets.keepToken({ ...target, token })
  assert.deepEqual(targets.names(), [])

  targets.write({ ...target, apiKey: 'newer' })
  targets.keepToken({ ...target, token })
  assert.deepEqual(targets.read('a'), { ...target, apiKey: 'newer' })
})
