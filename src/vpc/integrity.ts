// Volumes whose sectors say when they were changed (docs/decisions/0020-sector-integrity.md): how they are asked for, what
// they cannot do yet, and how one that was damaged looks. Pure.
//
// VPC has no field for it, and clients refuse what VPC does not have: SDKs have no member for it, Terraform's provider takes
// five names of profiles. All of them send user tags, so it is one; it is set when the volume is made and stays.

import { Fault } from '#base/fault.ts'
import type { BadSectors } from '#disk/port.ts'
import type { StatusReason } from './volume-state.ts'

export const integrityTag = 'keyward:integrity'

export const asksForIntegrity = (userTags: readonly string[]): boolean => userTags.includes(integrityTag)

/** A volume that is a copy of something, or is copied. */
export function refuseCopy(isAuthenticated: boolean, field: string, what: string): void {
  if (!isAuthenticated) return
  throw new Fault('not_implemented', `${what} is not supported yet for volumes with the tag ${integrityTag}`, {
    target: { type: 'field', name: field },
  })
}

export function refuseTagChange(isAuthenticated: boolean, userTags: readonly string[]): void {
  if (asksForIntegrity(userTags) === isAuthenticated) return
  const rule = isAuthenticated ? 'stays for the life of the volume' : 'is given when a volume is made, and not later'
  throw new Fault('invalid', `user_tags: ${integrityTag} ${rule}`, {
    reason: 'bad_field',
    target: { type: 'field', name: 'user_tags' },
  })
}

export interface DamagedHealth {
  readonly health_reasons: StatusReason[]
  readonly health_state: 'degraded' | 'faulted'
}

/** VPC API, `health_state`: in part unusable, or altogether. The codes are ours, in the spelling of the documented ones. */
export function damagedHealth({ sectors, hasMore, isLost }: BadSectors): DamagedHealth {
  if (isLost) {
    const message = 'the volume is not as it was left: it was put back to an earlier state, or its tags were destroyed'
    return { health_reasons: [{ code: 'volume_integrity_lost', message }], health_state: 'faulted' }
  }
  const some = sectors.slice(0, namedMax).join(', ')
  const more = hasMore || sectors.length > namedMax ? ' and others' : ''
  const message = `sectors that are not what was written, and are read as errors until they are written again: ${some}${more}`
  return { health_reasons: [{ code: 'volume_integrity_damaged', message }], health_state: 'degraded' }
}

const namedMax = 8
