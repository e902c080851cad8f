import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowedStates, keyStates } from '#kms/key-state.ts'
import type { KeyAction } from '#kms/key-state.ts'
import { crnProblem, keyOfCrn } from './crn-problem.ts'
import { keyWhyNot, plural, shortId, volumeWhyNot } from './words.ts'

test('keyWhyNot() has a reason exactly where the table has no leave', () => {
  for (const action of Object.keys(allowedStates) as KeyAction[]) {
    for (const state of keyStates) {
      const allowed: readonly string[] = allowedStates[action]
      assert.equal(keyWhyNot(action, state) === null, allowed.includes(state), `${action} in ${state}`)
    }
  }
  assert.equal(keyWhyNot('rotate', 'suspended'), 'The key is disabled; it has to be active or expired.')
})

test('volumeWhyNot() says what the volume has to be', () => {
  assert.equal(volumeWhyNot('attach', 'available'), null)
  assert.equal(volumeWhyNot('attach', 'pending_deletion'), 'The volume is pending deletion; it has to be available.')
})

test('shortId() and plural() read well', () => {
  assert.equal(shortId('r006-73ac2863-b7bd-470b-af1c-81c81f1d43ee'), 'r006-73a…1d43ee')
  assert.equal(shortId('short'), 'short')
  assert.equal(plural(1, 'volume'), '1 volume')
  assert.equal(plural(0, 'dependency', 'dependencies'), '0 dependencies')
})

const account = (digit: string): string => digit.repeat(32)
const key = `crn:v1:bluemix:public:kms:us-south:a/${account('a')}:1f3c:key:9d2e`

test('crnProblem() says what a text is instead of the CRN of a key', () => {
  assert.equal(crnProblem(key), null)
  assert.equal(crnProblem(`  ${key}\n`), null)
  assert.equal(crnProblem(`crn:bluemix:public:kms:us-south:a/${account('a')}:key:9d2e`), null)
  assert.match(crnProblem('payroll') ?? '', /no CRN/)
  assert.match(crnProblem(key.replace('key:9d2e', ':')) ?? '', /instance/)
  assert.match(crnProblem(key.replace(':key:', ':volume:')) ?? '', /of a volume/)
  assert.equal(keyOfCrn(key)?.accountId, account('a'))
})
