// HMAC keys: the other way to show who one is, for clients that sign instead of carrying a token. Made with a service
// credential, they speak for its service id. The secret is kept sealed rather than hashed, because checking a signature
// takes the secret itself. Source: IBM Cloud Object Storage, "Using HMAC credentials".

import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { deleteHmacKey, hmacKeyPurpose, insertHmacKey, selectHmacKey } from './tables-hmac-keys.ts'
import { signingKey } from './signature.ts'

export interface HmacOwner {
  readonly accountId: string
  readonly instanceId: string
  readonly iamId: string
}

export interface HmacKeys {
  create(owner: HmacOwner): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>
  /** May be repeated. */
  delete(accountId: string, accessKeyId: string): Promise<void>
  /** Whose it is, and what it signs with in that scope. Null for a key that is not there. */
  find(accessKeyId: string, scope: string): Promise<(HmacOwner & { readonly key: Buffer }) | null>
}

export function makeHmacKeys(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
}): HmacKeys {
  const { database, outbox, clock, random, sealer } = parts
  // The documented lengths: 32 and 48 hexadecimal digits.
  const hex = (byteCount: number): string => Buffer.from(random.bytes(byteCount)).toString('hex')

  return {
    async create({ accountId, instanceId, iamId }) {
      const accessKeyId = hex(16)
      const secretAccessKey = hex(24)
      const row = {
        access_key_id: accessKeyId,
        account_id: accountId,
        instance_id: instanceId,
        iam_id: iamId,
        sealed_secret: sealer.seal(hmacKeyPurpose(accessKeyId), Buffer.from(secretAccessKey)),
        created_at: clock.now(),
      }
      await database.transaction(async (tx) => {
        await insertHmacKey(tx, row)
        await outbox.append(tx, { type: 'cos.hmac-key.created', accountId, accessKeyId, iamId })
      })
      return { accessKeyId, secretAccessKey }
    },

    async delete(accountId, accessKeyId) {
      await database.transaction(async (tx) => {
        if (await deleteHmacKey(tx, accessKeyId))
          await outbox.append(tx, { type: 'cos.hmac-key.deleted', accountId, accessKeyId })
      })
    },

    async find(accessKeyId, scope) {
      const row = await selectHmacKey(database.reads, accessKeyId)
      if (!row) return null
      const secret = sealer.open(hmacKeyPurpose(accessKeyId), row.sealed_secret)
      try {
        const key = signingKey(Buffer.from(secret).toString(), scope)
        return { accountId: row.account_id, instanceId: row.instance_id, iamId: row.iam_id, key }
      } finally {
        secret.fill(0)
      }
    },
  }
}
