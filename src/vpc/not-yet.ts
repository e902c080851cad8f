// Fields that clients may send and this service does not serve yet. They are refused by name: a volume made without
// what was asked for, above all without its key, is worse than none.

import { Type } from 'typebox'
import type { TOptional, TUnknown } from 'typebox'
import { Fault } from '#base/fault.ts'

/** The fields as optional members of a schema, of any value. */
export function notYetFields<Name extends string>(names: readonly Name[]): Record<Name, TOptional<TUnknown>> {
  const fields = names.map((name) => [name, Type.Optional(Type.Unknown())])
  // Object.fromEntries forgets the names that it was given.
  return Object.fromEntries(fields) as Record<Name, TOptional<TUnknown>>
}

/** Fault 'not_implemented' for the first of `names` that the body has. Empty objects say nothing and pass. */
export function refuseNotYet(body: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const name = names.find((candidate) => body[candidate] !== undefined && !isEmpty(body[candidate]))
  if (name === undefined) return
  throw new Fault('not_implemented', `${name} is not supported yet`, { target: { type: 'field', name } })
}

/** Terraform's provider 1.72 sends an empty `allowed_use` with every volume. */
const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
