// Bytes to values. Clients of these APIs send JSON under every content type there is (curl's default is the form type,
// the Go client sends none), so the contract decides how a body is read, not the header.

import { parse } from 'secure-json-parse'
import { Fault } from '#base/fault.ts'
import { jsonDepthMax } from '#base/limits.ts'

/** The value of a JSON body, or undefined for no body. Duplicate names: the last one counts, as RFC 8259 allows. */
export function readJson(bytes: Buffer): unknown {
  const text = decode(bytes)
  if (text.trim() === '') return undefined
  if (depth(text) > jsonDepthMax) throw new Fault('invalid', `body is nested deeper than ${jsonDepthMax} levels`)
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch (cause) {
    throw new Fault('invalid', 'body is not JSON', { cause })
  }
}

/** The fields of a URL-encoded body. A repeated field is refused: two API keys in one request are somebody's mistake. */
export function readForm(bytes: Buffer): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(decode(bytes))) {
    if (name in fields) throw new Fault('invalid', `form field ${JSON.stringify(name.slice(0, 40))} is repeated`)
    fields[name] = value
  }
  return fields
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Fault('invalid', 'body is not UTF-8', { cause })
  }
}

/** Deepest nesting of brackets outside strings; for text that is not JSON it may be anything. */
function depth(text: string): number {
  let now = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (inString) {
      if (c === backslash) i++
      else if (c === quote) inString = false
    } else if (c === quote) inString = true
    else if (c === openBrace || c === openBracket) deepest = Math.max(deepest, ++now)
    else if (c === closeBrace || c === closeBracket) now--
  }
  return deepest
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d]
