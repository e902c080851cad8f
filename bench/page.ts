// What every measurement says of its machine, and where it puts its table: between two comments of docs/performance.md.

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'

const file = new URL('../docs/performance.md', import.meta.url)

export const machine = (): string =>
  `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.versions.node}`

/** Replaces what stands between `<!-- name -->` and `<!-- end of name -->`. */
export function writeSection(name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const page = readFileSync(file, 'utf8')
  const [before, rest] = page.split(begin)
  const [, after] = rest?.split(end) ?? []
  if (before === undefined || after === undefined) throw new Error(`${file.pathname} has no place for ${name}`)
  writeFileSync(file, `${before}${begin}\n${text}\n${end}${after}`)
}

export const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export const say = (line: string): void => void process.stdout.write(`${line}\n`)
