// JSON Schema at the door (ajv), once for bodies and once for queries: a body means what it says, a query parameter is
// text that may stand for a number. The first thing wrong becomes a fault that names it by its wire name.

import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { TSchema } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { FaultTarget } from '#base/fault.ts'

export type Part = 'body' | 'query'

const shared = { strict: false, allErrors: false, removeAdditional: false, useDefaults: false } as const
const engines = {
  body: new Ajv({ ...shared, coerceTypes: false }),
  query: new Ajv({ ...shared, coerceTypes: 'array' }),
} as const
for (const engine of Object.values(engines)) addFormats.default(engine)

/** Throws a Fault 'invalid' for the first thing wrong. Query values are turned into the types of their schema in place. */
export function makeValidator(schema: TSchema, part: Part): (value: unknown) => void {
  const check: ValidateFunction = engines[part].compile(schema)
  return (value) => {
    if (check(value)) return
    const [error] = check.errors ?? []
    throw fault(error, part, value)
  }
}

function fault(error: ErrorObject | undefined, part: Part, value: unknown): Fault {
  if (!error) return new Fault('invalid', `${part} does not match its schema`)
  const name = fieldName(error)
  const type = part === 'body' ? 'field' : 'parameter'
  const target: FaultTarget | undefined = name === '' ? undefined : { type, name, ...shown(valueAt(value, error)) }
  const message = name === '' ? `${part} ${error.message ?? 'is wrong'}` : `${name} ${sentence(error)}`
  return new Fault('invalid', message, { ...(target && { target }), keyword: error.keyword })
}

/** `/profile/name` and a missing `crn` become `profile.name` and `encryption_key.crn`. */
function fieldName(error: ErrorObject): string {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer)
  const params: Record<string, unknown> = error.params
  const missing = params['missingProperty'] ?? params['additionalProperty']
  if (typeof missing === 'string') path.push(missing)
  return path.join('.')
}

const unescapePointer = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')

function sentence(error: ErrorObject): string {
  if (error.keyword === 'required') return 'is required'
  if (error.keyword === 'additionalProperties') return 'is not a known field'
  if (error.keyword === 'enum') {
    const allowed: unknown = error.params['allowedValues']
    return Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : 'is not an allowed value'
  }
  if (error.keyword === 'anyOf' || error.keyword === 'oneOf') return 'has none of the documented forms'
  return error.message ?? 'is wrong'
}

function valueAt(value: unknown, error: ErrorObject): unknown {
  if (error.keyword === 'required' || error.keyword === 'additionalProperties') return undefined
  let at = value
  for (const part of error.instancePath.split('/').slice(1).map(unescapePointer)) {
    if (typeof at !== 'object' || at === null) return undefined
    at = Reflect.get(at, part)
  }
  return at
}

/** Numbers and booleans are quoted back; a text may be a secret in the wrong place. */
const shown = (value: unknown): { value?: string } =>
  typeof value === 'number' || typeof value === 'boolean' ? { value: String(value) } : {}
