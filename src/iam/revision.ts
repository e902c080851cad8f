// Revisions look like CouchDB's: a count and 32 hexadecimal digits. They are the entity tags of this service.

import { Fault } from '#base/fault.ts'
import { makeHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'

export const firstRevision = (random: Random): string => `1-${makeHex32(random)}`

export const nextRevision = (revision: string, random: Random): string =>
  `${Number.parseInt(revision, 10) + 1}-${makeHex32(random)}`

/** The `If-Match` of a change: the revision that was read, or `*` for whichever it is (RFC 9110, section 13.1.1). */
export function checkRevision(ifMatch: string | undefined, revision: string): void {
  const target = { type: 'header', name: 'If-Match' } as const
  if (!ifMatch) throw new Fault('invalid', 'If-Match is required: the entity_tag that was read', { target })
  if (ifMatch === '*' || ifMatch.replace(/^(?:W\/)?"(.*)"$/, '$1') === revision) return
  throw new Fault('conflict', 'it has been changed since it was read: read it again', { target })
}
