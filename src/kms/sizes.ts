// How large the resources under a key are, as their service says it. A volume that is to grow, or to have another profile,
// asks first; what is so already is only written down.

import { Fault } from '#base/fault.ts'
import type { AuthorizationsPort, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { keyNotFound } from './key.ts'
import { authorizeNamed, locate, parseKeyName } from './key-name.ts'
import type { KmsPort } from './port.ts'
import { isOwn } from './resource.ts'
import { purposeOf, requireRoom } from './room.ts'
import { selectRegistration } from './tables-registration.ts'
import { setCapacity } from './tables-room.ts'

export type Sizes = Pick<KmsPort, 'resize' | 'noteSize'>

export function makeSizes(parts: {
  readonly database: Database
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
}): Sizes {
  const { database, iam, authorizations } = parts
  return {
    async resize({ keyCrn, resourceCrn, as, size }) {
      const name = parseKeyName(keyCrn)
      const located = await locate(database.reads, name)
      const keyUse = purposeOf(resourceCrn, size)
      const grant = await authorizeNamed(iam, { as, action: 'kms.registrations.write', name, located, keyUse })
      if (!located) throw keyNotFound(name.keyId)
      await database.transaction(async (tx) => {
        const registration = await selectRegistration(tx, grant, resourceCrn)
        if (!registration || !isOwn(registration, as)) throw notRegistered(resourceCrn)
        const { capacityGb } = size
        if (capacityGb === undefined) return
        const isGrowing = capacityGb > (registration.capacityGb ?? 0)
        const wanted = { ...size, resourceCrn, accountId: as.accountId, isNew: false }
        if (isGrowing) await requireRoom(tx, authorizations, grant, wanted)
        await setCapacity(tx, { keyId: name.keyId, resourceCrn, by: as, capacityGb })
      })
    },

    async noteSize({ keyCrn, resourceCrn, as, capacityGb }) {
      const { keyId } = parseKeyName(keyCrn)
      await database.transaction((tx) => setCapacity(tx, { keyId, resourceCrn, by: as, capacityGb }))
    },
  }
}

const notRegistered = (resourceCrn: string): Fault =>
  new Fault('not_found', `resource ${resourceCrn} is not registered on the key`, { reason: 'registration_not_found' })
