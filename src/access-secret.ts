// The secret from which the data plane derives what admits a client to an attachment. Made once, kept sealed.

import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

const name = 'disk-access-secret'
const secretBytes = 32

export async function accessSecret(database: Database, sealer: Sealer, random: Random): Promise<Uint8Array> {
  const sealed = await readMeta(database, name)
  if (sealed) return sealer.open(name, sealed)
  const secret = random.bytes(secretBytes)
  const fresh = sealer.seal(name, secret)
  await database.transaction((tx) => writeMeta(tx, name, fresh))
  return secret
}

export const accessSecretRows: SealedRows = {
  name: `store_meta.${name}`,
  async page(reads, afterKey) {
    const sealed = afterKey === '' ? await readMeta({ reads }, name) : null
    return sealed ? [{ key: name, purpose: name, sealed }] : []
  },
  async replace(tx, { sealed }, resealed) {
    const held = await readMeta({ reads: tx }, name)
    if (held && Buffer.compare(held, sealed) === 0) await writeMeta(tx, name, resealed)
  },
}
