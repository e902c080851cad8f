// New material under the same name, by hand or because a policy says so. Rotation is no change of state: what runs under
// the key runs on, older versions still unwrap, and the services that use it re-wrap their data keys in their own time
// (rotation-progress.ts shows how far they are).
// Source: Key Protect, "Rotating keys on demand", "Setting a rotation policy for a key".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { keysPerSweep } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant } from '#iam/port.ts'
import type { Database, Reads, Tx } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { obey, rotationRules } from './action-rules.ts'
import { crnOf, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { told } from './key-lifecycle.ts'
import { generateMaterial, sealVersion } from './key-material.ts'
import { dueFrom } from './key-policies.ts'
import type { ImportedMaterial } from './key-request.ts'
import { readKey } from './keys.ts'
import { kindOfMaterial, newMaterial, requireCreationAccess } from './new-material.ts'
import type { Notices } from './notices.ts'
import { selectPoliciesFor } from './tables-instance.ts'
import { setRotated } from './tables-key.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectKeysToRotate, setRotatedByPolicy } from './tables-service.ts'
import { countStale } from './tables-tally.ts'
import { addVersion, insertVersion } from './tables-version.ts'

export type KeyRotation = ReturnType<typeof makeKeyRotation>

export function makeKeyRotation(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly access: Access
  readonly notices: Notices
}) {
  const { database, outbox, clock, random, sealer, access, notices } = parts

  /** Every rule of a rotation and nothing of its effect. */
  async function requireRotatable(
    reads: Reads,
    grant: Grant<'kms.secrets.rotate'>,
    imported: ImportedMaterial | null,
    now: number,
  ): Promise<Key> {
    const key = await readKey(reads, grant, now)
    requireState(key, 'rotate')
    requireRootKey(key)
    requirePayload(key, imported)
    const material = kindOfMaterial(imported)
    requireCreationAccess(await selectPoliciesFor(reads, grant), { extractable: false, material })
    obey(rotationRules(key, now))
    return key
  }

  async function tryRotate(asked: Asked, idOrAlias: string, imported: ImportedMaterial | null): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.rotate', idOrAlias)
    using _ = await newMaterial(parts, database.reads, grant, { extractable: false, imported })
    await requireRotatable(database.reads, grant, imported, clock.now())
  }

  async function rotate(asked: Asked, idOrAlias: string, imported: ImportedMaterial | null): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.rotate', idOrAlias)
    using material = await newMaterial(parts, database.reads, grant, { extractable: false, imported })
    const version = { keyId: keyIdOf(grant), id: makeUuid(random), ordinal: 0 }
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await requireRotatable(tx, grant, imported, now)
      await insertVersion(tx, grant, sealVersion(sealer, { ...version, createdAt: now }, material))
      await setRotated(tx, grant, now, dueFrom(key.policies, now))
      await tell(tx, key, version.id, now, told(asked, key))
    })
  }

  /** Rotates what the policies want rotated. A key that is not active waits until it is. To be called again and again. */
  async function rotateDue(): Promise<void> {
    const count = await database.transaction(async (tx) => {
      const now = clock.now()
      const keys = await selectKeysToRotate(tx, now, keysPerSweep)
      for (const key of keys) {
        using material = generateMaterial(random)
        const version = { keyId: key.id, id: makeUuid(random), ordinal: 0, createdAt: now }
        await addVersion(tx, sealVersion(sealer, version, material))
        await setRotatedByPolicy(tx, key.id, now, dueFrom(key.policies, now))
        await tell(tx, key, version.id, now, { accountId: key.instance.accountId, keyCrn: crnOf(key) })
      }
      return keys.length
    })
    if (count === keysPerSweep) await rotateDue()
  }

  async function tell(
    tx: Tx,
    key: Key,
    newVersionId: string,
    now: number,
    facts: { accountId: string; initiatorId?: string; keyCrn: string },
  ): Promise<void> {
    await outbox.append(tx, { type: 'kms.key.rotated', ...facts, keyVersionId: newVersionId })
    const versions = { oldVersionId: key.newestVersion.id, newVersionId }
    await notices.tell(tx, { type: 'rotate', key, state: key.state, now, ...versions })
    // Nobody has to follow.
    if ((await countStale(tx, { id: key.id, newestVersionId: newVersionId }, null)) > 0) return
    await outbox.append(tx, { type: 'kms.key.rotation-converged', ...facts, keyVersionId: newVersionId })
  }

  return { rotate, tryRotate, rotateDue }
}

/** Key Protect, "Error messages": an imported key is rotated with new material, a generated one without. */
function requirePayload(key: Key, imported: ImportedMaterial | null): void {
  if (key.imported && !imported) {
    throw new Fault('invalid', `key ${key.id} was imported, its rotation needs a payload`, {
      reason: 'KEY_PAYLOAD_REQ_ERR',
      target: { type: 'field', name: 'payload' },
    })
  }
  if (!key.imported && imported) {
    throw new Fault('invalid', `key ${key.id} was generated here, its rotation takes no payload`, {
      reason: 'INVALID_QUERY_PARAM_ERR',
      target: { type: 'field', name: 'payload' },
    })
  }
}
