// Data keys for resources of other services: made, wrapped and registered in one step, so that no wrapped key exists
// without its registration. Opening them is leases.ts, bringing them to a new version rewrapping.ts.

import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { dataKeyBytes } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { wrapKey } from '#crypto/wrapped-key.ts'
import type { Outbox } from '#events/outbox.ts'
import type { AuthorizationsPort, IamPort, ServiceSubject } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import { crnOf, keyCrn, keyNotFound, requireRootKey, requireState } from './key.ts'
import { openVersion } from './key-material.ts'
import { authorizeNamed, locate, parseKeyName } from './key-name.ts'
import { readKey } from './keys.ts'
import type { Leases } from './leases.ts'
import type { KmsPort, RegisteredResource, ResourceSize, WrappedDataKey } from './port.ts'
import { announceConvergence } from './rotation-progress.ts'
import { dataKeyAad, isOwn, registeredByAnother, requireOwnResource, serviceIamId } from './resource.ts'
import { userOf } from './quarantine.ts'
import type { Watch } from './quarantine.ts'
import { purposeOf, requireRoom } from './room.ts'
import { selectVersion } from './tables-version.ts'
import { selectRegistration, upsertRegistration } from './tables-registration.ts'
import { insertWrappedKeys } from './tables-wrapped-key.ts'
import { deleteOwnRegistration, selectKeyOfAnyone, selectRegistrationsOfService } from './tables-service.ts'
import { wrappedKeyNote } from './wrapped-key-note.ts'

export interface KeyUser {
  readonly keyCrn: string
  readonly resourceCrn: string
  readonly as: ServiceSubject
  readonly size?: ResourceSize
}

export type DataKeys = Pick<KmsPort, 'createDataKey' | 'unregister' | 'registrationsOf'>

export function makeDataKeys(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
  readonly leases: Leases
  readonly watch: Watch
}): DataKeys {
  const { database, outbox, clock, random, sealer, iam, authorizations, leases, watch } = parts

  async function createDataKey({ keyCrn: wanted, resourceCrn, as, size = {} }: KeyUser): Promise<WrappedDataKey> {
    const name = parseKeyName(wanted)
    requireOwnResource(resourceCrn, as)
    const located = await locate(database.reads, name)
    const keyUse = purposeOf(resourceCrn, size)
    const grant = await authorizeNamed(iam, { as, action: 'kms.secrets.wrap', name, located, keyUse })
    const leave = await authorizeNamed(iam, { as, action: 'kms.registrations.create', name, located, keyUse })
    if (!located) throw keyNotFound(name.keyId)

    using dataKey = SecretBytes.random(random, dataKeyBytes)
    const { key, dataKeyMade } = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'wrap')
      requireState(key, 'register')
      requireRootKey(key)
      const versionId = key.newestVersion.id
      const before = await selectRegistration(tx, grant, resourceCrn)
      if (before && !isOwn(before, as)) throw registeredByAnother(resourceCrn)

      const { accountId } = as
      await requireRoom(tx, authorizations, leave, { ...size, resourceCrn, accountId, isNew: before === null })

      const version = await selectVersion(tx, grant, versionId)
      assert(version, 'versions stay as long as their key')
      using rootKey = openVersion(sealer, version)
      const aad = dataKeyAad(resourceCrn)
      const wrapped = dataKey.use((bytes) =>
        wrapKey({ plaintext: bytes, rootKey, keyId: key.id, versionId, aad, random }),
      )
      const facts = { accountId: located.accountId, initiatorId: serviceIamId(as), keyCrn: crnOf(key), resourceCrn }
      if (before?.keyVersionId !== versionId) {
        const capacityGb = size.capacityGb ?? before?.capacityGb ?? null
        await upsertRegistration(tx, leave, before, { resourceCrn, keyVersionId: versionId, capacityGb, by: as, now })
        const type = before ? 'kms.registration.updated' : 'kms.registration.created'
        await outbox.append(tx, { type, ...facts, keyVersionId: versionId })
        if (before) await announceConvergence(tx, outbox, key, facts)
      }
      const made = { keyId: key.id, keyVersionId: versionId, resourceCrn, wrapped, by: as, now }
      await insertWrappedKeys(tx, [wrappedKeyNote(made, random)])
      return { key, dataKeyMade: { keyCrn: facts.keyCrn, keyVersionId: versionId, wrapped } }
    })
    watch.note(key, userOf(as), 'kms.secrets.wrap', [resourceCrn])
    return dataKeyMade
  }

  /**
   * The registrant's word is enough: were it to need an authorization, one removed too early would leave a registration
   * that nobody can take away and that keeps the key from being deleted.
   */
  async function unregister({ keyCrn: wanted, resourceCrn, as }: KeyUser): Promise<void> {
    const name = parseKeyName(wanted)
    const located = await locate(database.reads, name)
    if (!located) return
    const removed = await database.transaction(async (tx) => {
      const found = await deleteOwnRegistration(tx, { keyId: name.keyId, resourceCrn, by: as, now: clock.now() })
      if (!found) return false
      await outbox.append(tx, {
        type: 'kms.registration.deleted',
        accountId: located.accountId,
        initiatorId: serviceIamId(as),
        keyCrn: keyCrn(located, name.keyId),
        resourceCrn,
      })
      if (found.isStale) await announceRemoval(tx, name.keyId, as)
      return true
    })
    if (removed) await leases.fenceResource(name.keyId, resourceCrn)
  }

  /** What is gone no longer uses an old version, and may have been the last that did. */
  async function announceRemoval(tx: Tx, keyId: string, as: ServiceSubject): Promise<void> {
    const key = await selectKeyOfAnyone(tx, keyId, clock.now())
    if (!key) return
    const facts = { accountId: key.instance.accountId, initiatorId: serviceIamId(as), keyCrn: crnOf(key) }
    await announceConvergence(tx, outbox, key, facts)
  }

  async function registrationsOf(
    serviceName: string,
    afterResourceCrn: string,
    limit: number,
  ): Promise<readonly RegisteredResource[]> {
    const rows = await selectRegistrationsOfService(database.reads, { serviceName, afterResourceCrn, limit })
    return rows.map(({ keyId, instance, ...row }) => ({ keyCrn: keyCrn(instance, keyId), ...row }))
  }

  return { createDataKey, unregister, registrationsOf }
}
