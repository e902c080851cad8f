// Builds the console into dist/console, unless what lies there was built from the files as they are now. Run by `npm start`
// before the program, and by `npm run console`. Where the tools are not installed (`npm ci --omit=dev`) it says so and the
// program starts without a console.
//
//   node scripts/console.ts            build where needed; a failure is an error
//   node scripts/console.ts --gently   a failure is a sentence, and the program may start

import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const built = join(root, 'dist/console')
/** Beside the files and not among them: they are served. */
const notePath = join(root, 'dist/console.json')

/** What a build was made from: paths from the root, and one hash over all of them. */
interface Note {
  readonly files: readonly string[]
  readonly hash: string
}

/** Whatever the modules are, these decide too. */
const always = (): readonly string[] => [
  'package-lock.json',
  ...globSync(['scripts/console*.ts', 'src/console/**/*.{html,scss}', 'src/**/contract*.ts'], { cwd: root }).sort(),
]

export async function ensureConsole(): Promise<void> {
  if (isCurrent()) return
  const { buildConsole } = await import('./console-build.ts')
  mkdirSync(join(root, 'dist'), { recursive: true })
  const folder = `${built}.${process.pid}`
  try {
    const modules = await buildConsole(root, folder)
    rmSync(built, { recursive: true, force: true })
    renameSync(folder, built)
    const files = [...new Set([...always(), ...modules])].sort()
    writeFileSync(notePath, `${JSON.stringify({ files, hash: hashOf(files) }, null, 1)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function isCurrent(): boolean {
  if (!existsSync(notePath) || !existsSync(join(built, 'index.html'))) return false
  const { files, hash }: Note = JSON.parse(readFileSync(notePath, 'utf8'))
  return always().every((file) => files.includes(file)) && hashOf(files) === hash
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const path = join(root, file)
    hash.update(`${file}\n`).update(existsSync(path) ? readFileSync(path) : 'gone')
  }
  return hash.digest('hex')
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

if (import.meta.main) {
  const gently = process.argv.includes('--gently')
  const say = (text: string): void => void process.stderr.write(`keyward: ${text}\n`)
  try {
    if (isInstalled('vite/package.json') || isCurrent()) {
      if (!isCurrent()) say('building the console, once')
      await ensureConsole()
    } else if (gently) say('without the console: what builds it is not installed')
    else throw new Error('what builds the console is not installed: npm ci')
  } catch (error) {
    if (gently) say(`without the console: it could not be built: ${String(error)}`)
    else throw error
  }
}
