// A few facts about the database as a whole, by name: whether the first run was finished, how to recognise the master key.

import type { Reads, Tx } from './database.ts'

export async function readMeta(database: { readonly reads: Reads }, name: string): Promise<Uint8Array | null> {
  const row = await database.reads.selectFrom('store_meta').select('value').where('name', '=', name).executeTakeFirst()
  return row?.value ?? null
}

export async function writeMeta(tx: Tx, name: string, value: Uint8Array): Promise<void> {
  await tx
    .insertInto('store_meta')
    .values({ name, value })
    .onConflict((c) => c.column('name').doUpdateSet({ value }))
    .execute()
}

export async function deleteMeta(tx: Tx, name: string): Promise<void> {
  await tx.deleteFrom('store_meta').where('name', '=', name).execute()
}
