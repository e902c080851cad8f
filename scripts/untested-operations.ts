// Which operations no test against the real program has seen answered. The list is a golden file and may only shrink:
// a new operation comes with a test that uses it. Run by scripts/unit.sh, after the tests, with what they noted.
//
//   node scripts/untested-operations.ts NOTED [--update]

import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { operationNames } from './openapi.ts'

const golden = resolve(import.meta.dirname, '../test/golden/untested-operations.txt')
const [noted, update] = process.argv.slice(2)
const lines = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')

const seen = new Set(noted === undefined ? [] : lines(noted))
const untested = operationNames().filter((name) => !seen.has(name))
if (update === '--update') {
  writeFileSync(golden, untested.map((name) => `${name}\n`).join(''))
} else {
  const known = new Set(lines(golden))
  const fresh = untested.filter((name) => !known.has(name))
  const shrunk = [...known].filter((name) => !untested.includes(name))
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  if (shrunk.length > 0) say(`tested by now, take them off ${golden}: ${shrunk.join(', ')}`)
  if (fresh.length > 0) {
    say(`no test has seen these operations answered: ${fresh.join(', ')}`)
    process.exitCode = 1
  }
}
