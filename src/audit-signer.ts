// The Ed25519 key that signs the checkpoints of the audit logs. It is what an auditor notes down: whoever replaced the
// records would need it, and then the tree before would show.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Sealer } from '#base/sealer.ts'
import type { Database } from '#store/database.ts'
import { sealedMetaRows, sealedSecret } from './sealed-meta.ts'

const name = 'audit-log-key'

export async function auditSigningKey(database: Database, sealer: Sealer): Promise<KeyObject> {
  const secret = await sealedSecret(database, sealer, name, makeKey)
  try {
    return createPrivateKey({ key: Buffer.from(secret.buffer, secret.byteOffset, secret.length), ...form })
  } finally {
    secret.fill(0)
  }
}

export const auditSigningKeyRows = sealedMetaRows(name)

const form = { format: 'der', type: 'pkcs8' } as const

const makeKey = (): Uint8Array => generateKeyPairSync('ed25519').privateKey.export(form)
