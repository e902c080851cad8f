// Root keys of the provider: what volumes lie under whose owners brought no key. There is one for each account, made when
// it is first asked for; base/provider.ts says where it lies and why no tenant can list, disable or delete it. Everything
// else about it is as with any root key: it wraps, it is registered on, data keys under it are leased.

import type { Clock } from '#base/clock.ts'
import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { IamPort, ServiceSubject } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { keyTarget } from './access.ts'
import { createdFacts, crnOf, defaultKeyRing, keyCrn } from './key.ts'
import type { Instance, Key } from './key.ts'
import { generateMaterial, sealVersion } from './key-material.ts'
import { noKeyPolicies } from './policy.ts'
import type { KmsPort } from './port.ts'
import { serviceIamId } from './resource.ts'
import { insertKey, selectKey } from './tables-key.ts'
import { insertInstance } from './tables-service.ts'
import { insertFirstVersion } from './tables-version.ts'

export type ProviderKeys = Pick<KmsPort, 'providerKey'>

export function makeProviderKeys(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly iam: IamPort
}): ProviderKeys {
  const { database, outbox, clock, random, sealer, iam } = parts

  async function providerKey(as: ServiceSubject, region: string): Promise<string> {
    const instance = instanceFor(as.accountId, region)
    const { id } = instance
    const grant = await iam.authorize(as, 'kms.secrets.create', keyTarget({ ...instance, keyRing: defaultKeyRing }, id))
    const now = clock.now()
    if (await selectKey(database.reads, grant, now)) return keyCrn(instance, id)

    using material = generateMaterial(random)
    const first = sealVersion(sealer, { keyId: id, id, ordinal: 1, createdAt: now }, material)
    const key = draft(instance, serviceIamId(as), now)
    await database.transaction(async (tx) => {
      // Another request may have made it meanwhile, and then that one counts.
      if (await selectKey(tx, grant, now)) return
      await insertInstance(tx, instance, now)
      await insertKey(tx, grant, key)
      await insertFirstVersion(tx, grant, first)
      const facts = { accountId: providerAccountId, initiatorId: key.createdBy, keyCrn: crnOf(key) }
      await outbox.append(tx, { type: 'kms.key.created', ...facts, ...createdFacts(key) })
    })
    return keyCrn(instance, id)
  }

  return { providerKey }
}

const instanceFor = (accountId: string, region: string): Instance => ({
  id: providerInstanceId(accountId),
  serviceName: 'kms',
  accountId: providerAccountId,
  region,
  resourceGroupId: providerAccountId,
})

/** The only key of its instance, and named like it. */
const draft = (instance: Instance, createdBy: string, now: number): Key => ({
  id: instance.id,
  instance,
  keyRing: defaultKeyRing,
  name: 'provider',
  description: null,
  tags: [],
  extractable: false,
  imported: false,
  state: 'active',
  createdAt: now,
  createdBy,
  updatedAt: now,
  rotatedAt: null,
  expiresAt: null,
  deleted: null,
  stateChangedAt: now,
  syncedAt: null,
  policies: noKeyPolicies,
  rotationDueAt: null,
  deletionSet: null,
  quarantine: null,
  newestVersion: { id: instance.id, createdAt: now },
})
