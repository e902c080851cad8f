// Bounds of an authorization on the wire: a member that documented policies do not have, in both versions of the API.

import { Type } from 'typebox'
import { boundedCapacityGbMax, boundedVolumesMax, boundValuesMax } from '#base/limits.ts'
import { purposes } from './bounds.ts'

const name = Type.String({ minLength: 1, maxLength: 64 })
const names = Type.Array(name, { minItems: 1, maxItems: boundValuesMax, uniqueItems: true })
const [attach, createVolume, createSnapshot, createImage] = purposes
const purpose = Type.Union([
  Type.Literal(attach),
  Type.Literal(createVolume),
  Type.Literal(createSnapshot),
  Type.Literal(createImage),
])

export const bounds = Type.Object(
  {
    expires_at: Type.Optional(Type.String({ format: 'date-time' })),
    max_volumes: Type.Optional(Type.Integer({ minimum: 1, maximum: boundedVolumesMax })),
    max_capacity_gb: Type.Optional(Type.Integer({ minimum: 1, maximum: boundedCapacityGbMax })),
    profiles: Type.Optional(names),
    zones: Type.Optional(names),
    purposes: Type.Optional(Type.Array(purpose, { minItems: 1, uniqueItems: true })),
    mode: Type.Optional(Type.Union([Type.Literal('enforce'), Type.Literal('monitor')])),
  },
  { additionalProperties: false },
)

/** Left out, a policy keeps the bounds that it has; null takes them away. */
export const boundsSent = Type.Optional(Type.Union([bounds, Type.Null()]))
export const boundsShown = Type.Optional(bounds)
