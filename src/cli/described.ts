// Where each operation is, from the published description in openapi/: a test holds it equal to the contracts, whose schemas
// would take four times as long to load as a command has.

import { readFileSync } from 'node:fs'
import type { Service } from '#client/operations.ts'
import { assert } from '#base/assert.ts'

interface Place {
  readonly method: string
  readonly path: string
}

const known = new Map<Service, ReadonlyMap<string, Place>>()

export function operationOf(service: Service, name: string): Place {
  const places = known.get(service) ?? read(service)
  known.set(service, places)
  const place = places.get(name)
  assert(place !== undefined, `openapi/${service}.json describes ${name}`)
  return place
}

function read(service: Service): ReadonlyMap<string, Place> {
  const file = new URL(`../../openapi/${service}.json`, import.meta.url)
  const { paths }: { paths: Record<string, Record<string, { operationId: string }>> } = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  const places = new Map<string, Place>()
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { operationId }] of Object.entries(operations))
      places.set(operationId, { method: method.toUpperCase(), path: path.split('#', 1)[0] ?? '' })
  }
  return places
}
