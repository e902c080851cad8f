// XML in and out, for the dialects that speak it. Documents are objects: elements by name, repeated ones as arrays, text
// as text. Attributes are written (`@name`) and never read.

import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'
import { Fault } from './fault.ts'

/** Throws a Fault 'invalid', reason MalformedXML. `arrays` are the names of elements that may be repeated. */
export function parseXml(text: string, arrays: ReadonlySet<string>): unknown {
  // No document of these dialects has a type, and entities of a client's own are how parsers are attacked.
  if (/<!(DOCTYPE|ENTITY)/i.test(text) || XMLValidator.validate(text) !== true) throw malformed()
  const parser = new XMLParser({
    ignoreAttributes: true,
    ignoreDeclaration: true,
    removeNSPrefix: true,
    parseTagValue: false,
    // Names of objects may begin and end with spaces.
    trimValues: false,
    isArray: (name) => arrays.has(name),
  })
  try {
    return withoutGaps(parser.parse(text))
  } catch (cause) {
    throw malformed(cause)
  }
}

const malformed = (cause?: unknown): Fault =>
  new Fault('invalid', 'body is not well-formed XML, or not the XML of this operation', {
    reason: 'MalformedXML',
    cause,
  })

/** White space between elements is nothing; an element of white space alone is an empty text. */
function withoutGaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutGaps)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, part]) => name !== '#text' || String(part).trim() !== '')
  return Object.fromEntries(entries.map(([name, part]) => [name, withoutGaps(part)]))
}

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: '@', processEntities: false })

export const printXml = (document: Readonly<Record<string, unknown>>): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(escaped(document))}`

function escaped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(escaped)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, part]) => (part === undefined ? [] : [[name, escaped(part)]])),
    )
  }
  return escapeText(String(value))
}

/** Control characters too, as references: a reader that keeps line ends as they are must get them back. */
const escapeText = (text: string): string =>
  text.replaceAll(/[&<>"']|\p{Cc}/gu, (character) => `&#${character.charCodeAt(0)};`)
