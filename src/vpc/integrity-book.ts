// What the control plane remembers of volumes whose sectors have tags: the newest root of each, which whoever writes to the
// disks of a host cannot put back, and which sectors were found bad. Disk processes write here through their parent.

import { Fault } from '#base/fault.ts'
import type { BadSectors, IntegrityBook } from '#disk/port.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { readDamaged, readRoot, writeDamage, writeRoot } from './tables-integrity.ts'

export interface BookParts {
  readonly database: Database
  readonly outbox: Outbox
}

const nothingBad: BadSectors = { sectors: [], hasMore: false, isLost: false }

export const makeIntegrityBook = ({ database, outbox }: BookParts): IntegrityBook => ({
  async remembered(volumeId) {
    const state = await readRoot(database.reads, volumeId)
    if (!state) return null
    const volume = await readDamaged(database.reads, volumeId)
    return { state, bad: volume?.damage ?? nothingBad }
  },

  remember: (volumeId, state) =>
    database.transaction(async (tx) => {
      if (await writeRoot(tx, volumeId, state)) return
      throw new Fault('conflict', `a later state of volume ${volumeId} is remembered`)
    }),

  noteBad: (volumeId, bad) =>
    database.transaction(async (tx) => {
      const volume = await readDamaged(tx, volumeId)
      if (!volume) return
      const damage = bad.sectors.length > 0 || bad.hasMore || bad.isLost ? bad : null
      if (JSON.stringify(damage) === JSON.stringify(volume.damage)) return
      await writeDamage(tx, volumeId, damage)
      const { accountId, crn: volumeCrn } = volume
      if (!damage) await outbox.append(tx, { type: 'vpc.volume.mended', accountId, volumeCrn })
      else await outbox.append(tx, { type: 'vpc.volume.damaged', accountId, volumeCrn, ...damage })
    }),
})
