// What a tag may be called. Source: IBM Cloud, "Working with tags": up to 128 letters, digits, spaces, `_`, `-`, `.` and
// `:`, case does not matter, and an access tag is one `key:value`.

import { Fault } from '#base/fault.ts'
import { tagNameLengthMax } from '#base/limits.ts'

export type TagType = 'user' | 'access' | 'service'

const allowed = /^[\p{L}\p{M}\p{N} _.:-]+$/u

/** The names as they are kept: each once, in lower case. */
export function parseTagNames(names: readonly string[], type: TagType): readonly string[] {
  return Array.from(new Set(names.map((name) => parseTagName(name, type))))
}

export function parseTagName(text: string, type: TagType): string {
  const name = text.trim().toLowerCase()
  if (name.length > tagNameLengthMax) throw refusal(`a tag has at most ${tagNameLengthMax} characters`)
  if (!allowed.test(name)) throw refusal('a tag has letters, digits, spaces and _ - . : only')
  if (type === 'access' && !/^[^:]+:[^:]+$/.test(name))
    throw refusal('an access tag is one key and one value, key:value')
  return name
}

/** The key of `key:value`, with its colon; null for a label. */
export const keyOf = (name: string): string | null => /^[^:]+:/.exec(name)?.[0] ?? null

const refusal = (message: string): Fault =>
  new Fault('invalid', message, { target: { type: 'field', name: 'tag_names' } })
