// Several byte strings as one, so that no two lists give the same bytes: each is preceded by its length as four bytes,
// big-endian. What is signed or bound as associated data is put together here and nowhere else (docs/formats.md,
// "Conventions").

import { assert } from '#base/assert.ts'

export function lengthPrefixed(parts: readonly Uint8Array[]): Uint8Array {
  const total = parts.reduce((sum, part) => sum + 4 + part.length, 0)
  const out = new Uint8Array(total)
  const view = new DataView(out.buffer)
  let offset = 0
  for (const part of parts) {
    view.setUint32(offset, part.length)
    out.set(part, offset + 4)
    offset += 4 + part.length
  }
  return out
}

/** UTF-8. Half a surrogate pair would become U+FFFD, and two texts give the same bytes: callers exclude it before. */
export function utf8(text: string): Uint8Array {
  assert(text.isWellFormed(), 'a text that is bound to something is well-formed Unicode')
  return new TextEncoder().encode(text)
}
