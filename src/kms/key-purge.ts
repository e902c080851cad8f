// The end of a key's material, and what is left in its place: the statement of a destroy certificate. Rows of the key go,
// the statement and the events come, all in one transaction: there is no purge without a certificate, and no certificate
// without a purge. It is signed when it is read; its hash is in the audit record of this transaction.

import { rfc3339 } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import { formatStatement, hashOfText, statementHash } from '#crypto/destroy-certificate.ts'
import type { PurgeRule } from '#crypto/destroy-certificate.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Tx } from '#store/database.ts'
import { crnOf } from './key.ts'
import type { Key } from './key.ts'
import { deleteKey } from './tables-service.ts'
import {
  insertDestroyedKey,
  insertWrappedKeys,
  selectUnknown,
  selectVersionNames,
  selectWrappedKeys,
} from './tables-wrapped-key.ts'
import { waits } from './waits.ts'
import { saltBytes, treeOf } from './wrapped-key-note.ts'

export interface Purge {
  readonly key: Key
  readonly rule: PurgeRule
  /** Who asked; null where nobody did. */
  readonly purgedBy: string | null
  readonly now: number
}

export type KeyPurge = ReturnType<typeof makeKeyPurge>

/** A key that is destroyed is purged; in the transaction that has read it. */
export function makeKeyPurge({ outbox, random }: { readonly outbox: Outbox; readonly random: Random }) {
  const salt = (): Uint8Array => random.bytes(saltBytes)

  return async (tx: Tx, { key, rule, purgedBy, now }: Purge): Promise<void> => {
    const unknown = await selectUnknown(tx, key.id)
    await insertWrappedKeys(
      tx,
      unknown.map((use) => ({ ...use, sha256: null, salt: salt() })),
    )
    const dataKeys = await selectWrappedKeys(tx, key.id)
    const keyCrn = crnOf(key)
    const deletedAt = key.deleted?.at ?? 0
    const persons = JSON.stringify({
      deleted_by: key.deleted?.by ?? null,
      approved_by: key.deleted?.approvedBy ?? null,
      purged_by: purgedBy,
      salt: Buffer.from(salt()).toString('hex'),
    })
    const versions = await selectVersionNames(tx, key.id)
    const statement = formatStatement({
      keyCrn,
      deletedAt: rfc3339(deletedAt),
      purgedAt: rfc3339(now),
      rule,
      personsHash: hashOfText(persons),
      versions: versions.map(({ id, createdAt }) => ({ id, createdAt: rfc3339(createdAt) })),
      dataKeyCount: dataKeys.length,
      dataKeyRoot: treeOf(dataKeys).root,
    })
    await deleteKey(tx, key.id, now)
    const accountId = key.instance.accountId
    const dataKeyCount = dataKeys.length
    await insertDestroyedKey(tx, { keyId: key.id, keyCrn, accountId, purgedAt: now, statement, persons, dataKeyCount })
    const destroyCertificate = statementHash(statement)
    await outbox.append(tx, {
      type: 'kms.key.purged',
      accountId,
      ...(purgedBy !== null && { initiatorId: purgedBy }),
      keyCrn,
      deletedAt,
      purgeAllowedFrom: deletedAt + waits.purgeMs,
      purgeEligibleOn: deletedAt + waits.keepDeletedMs,
      destroyCertificate,
    })
    // Each account whose data keys died has a record of it in its own log.
    for (const [user, own] of Map.groupBy(dataKeys, (one) => one.accountId)) {
      const count = { dataKeyCount: own.length, destroyCertificate }
      await outbox.append(tx, { type: 'kms.data-keys.destroyed', accountId: user, keyCrn, ...count })
    }
  }
}
