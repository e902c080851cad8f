// Where measurements go: docs/performance.md has a place for each.

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'

export const machine = (): string =>
  `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}`

/** Replaces what stands between the two marks of the name. */
export function writeInto(name: string, text: string): void {
  const file = new URL('../docs/performance.md', import.meta.url)
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const page = readFileSync(file, 'utf8')
  const [before] = page.split(begin)
  const [, after] = page.split(end)
  if (before === undefined || after === undefined) throw new Error(`${file.pathname} has no place for ${name}`)
  writeFileSync(file, `${before}${begin}\n${text}\n${end}${after}`)
}
