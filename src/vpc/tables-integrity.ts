// SQL of what is remembered of volumes whose sectors have tags. A disk asks, for a volume that it serves.

import type { BadSectors, TagState } from '#disk/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { volumeIdText } from './ids.ts'
import { toVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'

export async function readRoot(reads: Reads, volumeId: string): Promise<TagState | null> {
  const query = reads.selectFrom('vpc_volume_root').select(['generation', 'mac'])
  const row = await query.where('volume_id', '=', volumeIdText(volumeId)).executeTakeFirst()
  return row ? { generation: Number(row.generation), mac: row.mac } : null
}

/** False when that state or a later one is remembered already. */
export async function writeRoot(tx: Tx, volumeId: string, { generation, mac }: TagState): Promise<boolean> {
  const result = await tx
    .insertInto('vpc_volume_root')
    .values({ volume_id: volumeIdText(volumeId), generation, mac })
    .onConflict((c) =>
      c.column('volume_id').doUpdateSet({ generation, mac }).where('vpc_volume_root.generation', '<', generation),
    )
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

export async function readDamaged(reads: Reads, volumeId: string): Promise<Volume | null> {
  const query = reads.selectFrom('vpc_volume').selectAll()
  const row = await query.where('id', '=', volumeIdText(volumeId)).executeTakeFirst()
  return row ? toVolume(row) : null
}

export async function writeDamage(tx: Tx, volumeId: string, damage: BadSectors | null): Promise<void> {
  const text = damage && JSON.stringify(damage)
  await tx.updateTable('vpc_volume').set({ damage: text }).where('id', '=', volumeIdText(volumeId)).execute()
}
