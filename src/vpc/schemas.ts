// Shapes that several VPC resources share on the wire. Source: VPC API, "Pagination" and the reference schemas.

import { Type } from 'typebox'
import type { TProperties } from 'typebox'
import { vpcPageMax } from '#base/limits.ts'

/** Longest text that any identity has: a CRN or an absolute URL. */
const textLengthMax = 1024

export const text = Type.String({ maxLength: textLengthMax })
export const when = Type.String({ format: 'date-time' })

/** For bodies: a field that the API does not have is refused, not passed over. */
export const closed = { additionalProperties: false } as const

export const reference = Type.Object({ href: Type.String(), name: Type.String() })
export const groupReference = Type.Object({ href: Type.String(), id: Type.String(), name: Type.String() })

/** `{name}` or `{href}`; that exactly one is given is checked by identity.ts, which can say so. */
export const nameIdentity = Type.Object({ name: Type.Optional(text), href: Type.Optional(text) })
export const idIdentity = Type.Object({ id: Type.Optional(text), crn: Type.Optional(text), href: Type.Optional(text) })
export const groupIdentity = Type.Object({ id: text })

/** Checked by service.checkQuery before; named here so that the published description has them. */
export const versioned = {
  version: Type.Optional(Type.String()),
  generation: Type.Optional(Type.String()),
}

export const paged = {
  ...versioned,
  start: Type.Optional(text),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: vpcPageMax })),
}

export const versionedQuery = Type.Object(versioned)

/** Filters of what lies in a VPC; networks-asked.ts finds the VPC. */
export const ofVpc = {
  'vpc.id': Type.Optional(text),
  'vpc.crn': Type.Optional(text),
  'vpc.name': Type.Optional(text),
}

export const reason = Type.Object({ code: Type.String(), message: Type.String() })

const link = Type.Object({ href: Type.String() })

/** A page of a collection under its key. */
export const pageReply = <Fields extends TProperties>(fields: Fields) =>
  Type.Object({
    ...fields,
    first: link,
    next: Type.Optional(link),
    limit: Type.Integer(),
    total_count: Type.Integer(),
  })
