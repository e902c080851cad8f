// The rules of the house, executed: who may import whom, what is banned and what to use instead, how long files grow.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '..')

/** Files under version control or about to be: what a stranger would read. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(resolve(root, file)))

interface Source {
  readonly file: string
  readonly folder: string
  readonly text: string
  readonly isTest: boolean
}

const sources: readonly Source[] = files
  .filter((file) => file.startsWith('src/') && /\.tsx?$/.test(file))
  .map((file) => ({
    file,
    folder: file.split('/').length > 2 ? (file.split('/')[1] ?? '') : '',
    text: readFileSync(resolve(root, file), 'utf8'),
    isTest: /\.test\.tsx?$/.test(file) || file.includes('/testing/'),
  }))

/** ARCHITECTURE.md, "Who may import whom". A trailing `/` means the whole folder, a trailing `-` any file that begins so. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ['base/'],
  store: ['base/'],
  events: ['base/', 'store/'],
  audit: ['base/', 'crypto/', 'store/', 'events/', 'iam/port.ts'],
  ledger: ['base/', 'store/', 'events/', 'iam/port.ts', 'kms/port.ts', 'vpc/port.ts', 'disk/port.ts'],
  'master-key': ['base/', 'crypto/', 'store/'],
  maintenance: ['base/', 'crypto/', 'store/', 'master-key/'],
  edge: ['base/', 'iam/port.ts'],
  iam: ['base/', 'store/', 'events/', 'port.ts'],
  resources: ['base/', 'store/', 'events/', 'port.ts'],
  cos: ['base/', 'store/', 'events/', 'port.ts'],
  kms: ['base/', 'crypto/', 'store/', 'events/', 'iam/port.ts'],
  vpc: [
    'base/',
    'store/',
    'events/',
    'iam/port.ts',
    'kms/port.ts',
    'disk/port.ts',
    'cos/port.ts',
    'resources/port.ts',
    'compute/port.ts',
  ],
  compute: ['base/'],
  disk: ['base/', 'crypto/', 'kms/port.ts', 'iam/port.ts'],
  client: ['base/', 'contract.ts', 'contract-', '-state.ts'],
  console: ['base/', 'client/', 'contract.ts', 'contract-', '-state.ts'],
  // What it verifies is public: hashes and signatures, no secret.
  cli: [
    'base/',
    'client/',
    'contract.ts',
    '-state.ts',
    'crypto/merkle-tree.ts',
    'crypto/signed-note.ts',
    'crypto/destroy-certificate.ts',
  ],
}

/** `src/kms/key.ts` imports `#iam/port.ts` or `../iam/port.ts`: both become `iam/port.ts`. */
function importsOf(source: Source): string[] {
  const found: string[] = []
  for (const [, name] of source.text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (!name) continue
    if (name.startsWith('#')) found.push(name.slice(1))
    else if (name.startsWith('.')) found.push(relative('src', resolve('/', dirname(source.file), name).slice(1)))
  }
  return found
}

function allowed(folder: string, imported: string): boolean {
  if (imported.startsWith(`${folder}/`)) return true
  const rules = mayImport[folder] ?? []
  return rules.some((rule) => {
    if (rule.endsWith('/')) return imported.startsWith(rule)
    if (rule.endsWith('-')) return imported.includes(`/${rule}`)
    if (rule.includes('/')) return imported === rule
    return imported.endsWith(rule.startsWith('-') ? rule : `/${rule}`)
  })
}

test('every folder imports only what the table allows', () => {
  const wrong: string[] = []
  for (const source of sources) {
    // Tests may set up a world; compose, main and the rest of the top level know everybody.
    if (source.isTest || source.folder === '') continue
    assert.ok(mayImport[source.folder], `${source.file}: its folder is not in the import table`)
    for (const imported of importsOf(source)) {
      if (!allowed(source.folder, imported)) wrong.push(`${source.file} imports ${imported}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('nobody imports compose', () => {
  const wrong = sources.filter((s) => s.file !== 'src/main.ts' && importsOf(s).some((name) => name === 'compose.ts'))
  assert.deepEqual(
    wrong.map((s) => s.file),
    [],
  )
})

const banned: readonly { readonly what: RegExp; readonly instead: string; readonly except?: RegExp }[] = [
  {
    what: /\bDate\.now\(|new Date\(\)|performance\.now\(/,
    instead: 'the Clock that was handed in',
    except: /^src\/(base\/clock|cli\/tour)\.ts$/,
  },
  { what: /\bMath\.random\(/, instead: 'the Random that was handed in' },
  {
    what: /\brandomBytes\(|\brandomUUID\(/,
    instead: 'the Random that was handed in',
    except: /^src\/base\/random\.ts$/,
  },
  { what: /\bprocess\.env\b/, instead: 'config.ts', except: /^src\/(cli\/)?main\.ts$/ },
  { what: /\bconsole\.\w+\(/, instead: 'the Log that was handed in' },
  { what: /\bmakeGrant\(/, instead: 'iam.authorize', except: /^src\/iam\// },
  { what: /@ts-(ignore|expect-error|nocheck)/, instead: 'a type that is true' },
  { what: /\bas any\b|: any\b|<any>/, instead: 'unknown and a parser' },
  { what: /\b(TODO|FIXME|XXX)\b/, instead: 'docs/compatibility.md, "not yet"' },
  { what: /^export default /m, instead: 'a named export', except: /^src\/console\// },
  { what: /^export (\*|\{[^}]*\}) from/m, instead: 'importing from the file that defines it' },
]

test('nothing banned is used', () => {
  const wrong: string[] = []
  for (const source of sources) {
    if (source.isTest) continue
    for (const { what, instead, except } of banned) {
      const line = source.text.split('\n').find((text) => what.test(text) && !/^\s*(\/\/|\*|\/\*)/.test(text))
      if (line !== undefined && !except?.test(source.file)) wrong.push(`${source.file}: ${line.trim()}: use ${instead}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('a table is named only by its own service', () => {
  const wrong: string[] = []
  for (const source of sources) {
    if (source.isTest || source.folder === 'store') continue
    const prefix = source.folder === 'events' ? 'event' : source.folder
    const pattern = /(?:selectFrom|insertInto|updateTable|deleteFrom|innerJoin|leftJoin)\(\s*'(\w+?)_/g
    for (const [, owner] of source.text.matchAll(pattern)) {
      if (owner !== prefix) wrong.push(`${source.file} names a table of ${owner}`)
      else if (!/(^|\/)(tables(-[\w-]+)?|outbox)\.ts$/.test(source.file))
        wrong.push(`${source.file} holds SQL: it belongs in tables.ts`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('a file fits a sitting', () => {
  const long = sources
    .map((s) => ({ file: s.file, lines: s.text.split('\n').length }))
    .filter((s) => s.lines > 400 && !s.file.endsWith('.test.ts'))
  assert.deepEqual(long, [])
})

test('every file is used', () => {
  const used = new Set(sources.flatMap(importsOf))
  const entries = /^(main|cli\/main|disk\/process)\.ts$|^console\/(main\.tsx|virtual\.d\.ts)$|\.test\.ts$/
  const unused = sources
    .map((s) => s.file.slice('src/'.length))
    .filter((file) => !used.has(file) && !entries.test(file))
  assert.deepEqual(unused, [])
})

test('every limit has a reason', () => {
  const lines = sources.filter(({ file }) => /\/limits(-\w+)?\.ts$/.test(file)).flatMap(({ text }) => text.split('\n'))
  assert.ok(lines.length > 300)
  const bare: string[] = []
  let reasoned = false
  for (const line of lines) {
    if (line.startsWith('/**') || line.startsWith(' *')) reasoned = true
    else if (line.startsWith('export const')) {
      if (!reasoned) bare.push(line)
    } else if (line.trim() === '') reasoned = false
  }
  assert.deepEqual(bare, [])
})

test('the product speaks of itself alone', () => {
  const words = /\/work\/|\.\.\/shared|farm-|\bissue #?\d+\b|keyward session/i
  const wrong = files
    .filter(
      (file) =>
        /\.(ts|tsx|mjs|md|json|sh|html)$/.test(file) && !file.includes('package-lock') && file !== 'test/tidy.test.ts',
    )
    .filter((file) => words.test(readFileSync(resolve(root, file), 'utf8')))
  assert.deepEqual(wrong, [])
})
