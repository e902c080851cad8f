// What may be seen of who uses a key: by its owner all of it, by a service what is its own. How registrations are made and
// changed is registering.ts.

import type { Static } from 'typebox'
import type { Clock } from '#base/clock.ts'
import type { Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import type { kmsContract } from './contract.ts'
import { readKey } from './keys.ts'
import type { Listed } from './keys.ts'
import { pageRequest } from './list-request.ts'
import type { ListRequest } from './list-request.ts'
import { requireOwnResource, resourceCrnPattern, serviceOf } from './resource.ts'
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
    return await list(asked, grant, request)
  }

  async function listForKey(asked: Asked, id: string, request: RegistrationListRequest): Promise<Listed<Registration>> {
    const grant = await access.key(asked, 'kms.registrations.listforkey', id)
    await readKey(reads, grant, clock.now())
    return await list(asked, grant, request)
  }

  async function list(
    { caller }: Asked,
    grant: ListGrant,
    request: RegistrationListRequest,
  ): Promise<Listed<Registration>> {
    const { page, counting } = request
    const registrant = serviceOf(caller)
    const filter = { ...request.filter, registrant }
    if (registrant && filter.resourceCrnPattern !== null) requireOwnResource(filter.resourceCrnPattern, registrant)
    const items = await selectRegistrations(reads, grant, filter, page)
    return { items, totalCount: counting ? await countRegistrations(reads, grant, filter) : null }
  }

  return { listAll, listForKey }
}

type RegistrationQuery = Static<(typeof kmsContract)['listKeyRegistrations']['query']>

export function registrationListRequest(query: RegistrationQuery): RegistrationListRequest {
  const { urlEncodedResourceCRNQuery: text, preventKeyDeletion = null } = query
  const pattern = text === undefined ? null : resourceCrnPattern(text)
  return { ...pageRequest(query), filter: { resourceCrnPattern: pattern, preventKeyDeletion, registrant: null } }
}
