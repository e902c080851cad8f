// Secrets of which the product has one each, made once and kept sealed among the facts about the database.

import type { Sealer } from '#base/sealer.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

/** The secret of that name; `make` gives it on the first start. The caller wipes it where it can. */
export async function sealedSecret(
  database: Database,
  sealer: Sealer,
  name: string,
  make: () => Uint8Array,
): Promise<Uint8Array> {
  const sealed = await readMeta(database, name)
  if (sealed) return sealer.open(name, sealed)
  const secret = make()
  const fresh = sealer.seal(name, secret)
  await database.transaction((tx) => writeMeta(tx, name, fresh))
  return secret
}

export const sealedMetaRows = (name: string): SealedRows => ({
  name: `store_meta.${name}`,
  async page(reads, afterKey) {
    const sealed = afterKey === '' ? await readMeta({ reads }, name) : null
    return sealed ? [{ key: name, purpose: name, sealed }] : []
  },
  async replace(tx, { sealed }, resealed) {
    const held = await readMeta({ reads: tx }, name)
    if (held && Buffer.compare(held, sealed) === 0) await writeMeta(tx, name, resealed)
  },
})
