// Vectors in the manner of C2SP CCTV: one file, one scenario. A file begins with lines `name: value`, then an empty line,
// then the bytes in hexadecimal, broken anywhere. Vectors are never changed and never removed: that old bytes still open
// is what they are for.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Vector {
  readonly file: string
  readonly body: string
  readonly bytes: Uint8Array
  has(name: string): boolean
  /** The value of a header line; a missing one fails the test that asks for it. */
  text(name: string): string
  hex(name: string): Uint8Array
}

export function readVectors(format: string): readonly Vector[] {
  const folder = join(import.meta.dirname, format)
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  if (files.length === 0) throw new Error(`no vectors in ${folder}`)
  return files.map((name) => parseVector(`${format}/${name}`, readFileSync(join(folder, name), 'utf8')))
}

function parseVector(file: string, content: string): Vector {
  const [head = '', ...rest] = content.split('\n\n')
  const body = rest.join('\n')
  const lines = head.split('\n').map((line) => {
    const colon = line.indexOf(': ')
    if (colon === -1) throw new Error(`${file}: not a header line: ${line}`)
    return [line.slice(0, colon), line.slice(colon + 2)] as const
  })
  const header = new Map(lines)
  const text = (name: string): string => {
    const value = header.get(name)
    if (value === undefined) throw new Error(`${file}: no header line "${name}"`)
    return value
  }
  return {
    file,
    body,
    bytes: fromHex(body.replaceAll(/\s/g, '')),
    has: (name) => header.has(name),
    text,
    hex: (name) => fromHex(text(name)),
  }
}

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex === 'none' ? '' : hex, 'hex'))
