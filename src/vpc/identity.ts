// How bodies point at things: `{id}`, `{crn}`, `{href}` or `{name}`. Source: VPC API, "identity" schemas. Whatever form
// was used, an id or name comes out; whether there is such a thing is asked elsewhere.

import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'

interface ByName {
  readonly name?: string | undefined
  readonly href?: string | undefined
}

interface ById {
  readonly id?: string | undefined
  readonly crn?: string | undefined
  readonly href?: string | undefined
}

/** `{name}` or `{href}`, of which exactly one is given. */
export function nameOf(identity: ByName, field: string): string {
  const { name, href } = identity
  if ((name === undefined) === (href === undefined)) throw notOne(field, 'name or href')
  return name ?? lastSegment(href ?? '')
}

/**
 * `{id}`, `{crn}` or `{href}`, of which exactly one is given. A CRN of another account's resource comes out as its id.
 */
export function idOf(identity: ById, field: string): string {
  const given = [identity.id, identity.crn, identity.href].filter((value) => value !== undefined)
  if (given.length !== 1) throw notOne(field, 'id, crn or href')
  if (identity.id !== undefined) return identity.id
  if (identity.crn !== undefined) return parseCrn(identity.crn)?.resource ?? ''
  return lastSegment(identity.href ?? '')
}

const lastSegment = (href: string): string => href.split('/').at(-1) ?? ''

const notOne = (field: string, forms: string): Fault =>
  new Fault('invalid', `${field} must have one of ${forms}`, {
    reason: 'validation_only_one',
    target: { type: 'field', name: field },
  })
