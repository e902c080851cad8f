// What the owner of keys may see of who uses them. Registrations are made and taken away by services, through the port.

import type { Static } from 'typebox'
import type { Clock } from '#base/clock.ts'
import type { Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import type { kmsContract } from './contract.ts'
import { readKey } from './keys.ts'
import type { Listed } from './keys.ts'
import { notYet, pageRequest } from './key-request.ts'
import type { ListRequest } from './key-request.ts'
import { resourceCrnPattern } from './resource.ts'
import { countRegistrations, selectRegistrations } from './tables-registration.ts'
import type { ListGrant, Registration, RegistrationFilter } from './tables-registration.ts'

export interface RegistrationListRequest extends ListRequest {
  readonly filter: RegistrationFilter
}

export type Registrations = ReturnType<typeof makeRegistrations>

export function makeRegistrations(parts: { readonly reads: Reads; readonly clock: Clock; readonly access: Access }) {
  const { reads, clock, access } = parts

  async function listAll(asked: Asked, request: RegistrationListRequest): Promise<Listed<Registration>> {
    const { grant } = await access.instance(asked, 'kms.registrations.list')
    return await list(grant, request)
  }

  async function listForKey(asked: Asked, id: string, request: RegistrationListRequest): Promise<Listed<Registration>> {
    const grant = await access.key(asked, 'kms.registrations.listforkey', id)
    await readKey(reads, grant, clock.now())
    return await list(grant, request)
  }

  async function list(grant: ListGrant, request: RegistrationListRequest): Promise<Listed<Registration>> {
    const { filter, page, counting } = request
    const items = await selectRegistrations(reads, grant, filter, page)
    return { items, totalCount: counting ? await countRegistrations(reads, grant, filter) : null }
  }

  return { listAll, listForKey }
}

type RegistrationQuery = Static<(typeof kmsContract)['listKeyRegistrations']['query']>

export function registrationListRequest(query: RegistrationQuery): RegistrationListRequest {
  // No registration has it yet, and "none" would be a true answer only to `true`.
  if (query.preventKeyDeletion !== undefined) throw notYet('preventKeyDeletion', 'parameter')
  const { urlEncodedResourceCRNQuery: text } = query
  return { ...pageRequest(query), filter: { resourceCrnPattern: text === undefined ? null : resourceCrnPattern(text) } }
}
