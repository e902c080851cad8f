// Carries re-encryptions to their end, and undoes those that did not get their key. Takes no input, reads the tables, and may
// run at any time, twice, or late. The order at the end: the image is under the newer key alone; then the volume's row; then
// the registration of the older key goes. A volume that is deleted meanwhile takes all of it with it (reconcile-volumes.ts).

import { Fault } from '#base/fault.ts'
import type { KeyStanding } from '#kms/port.ts'
import type { Reads } from '#store/database.ts'
import type { Copies } from './copies.ts'
import { isServed } from './instance-state.ts'
import { overdueBefore } from './parts.ts'
import type { VpcParts } from './parts.ts'
import { withdrawIfEnded } from './reconcile-exports.ts'
import { bytesPerSecondOf } from './reencryption.ts'
import type { Reencryption } from './reencryption.ts'
import { shownStatus } from './run-on.ts'
import { attachmentsOf } from './tables-attachments.ts'
import {
  changeKeys,
  moveReencryption,
  noteStandingBetweenKeys,
  reencryptionOf,
  removeReencryption,
  runningVolumes,
  unfinishedReencryptions,
  volumesBetweenKeys,
} from './tables-reencryptions.ts'
import { readVolumeForWork } from './tables-work.ts'
import { blockStorageOf, volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { returnVolumeKey } from './volume-key.ts'
import { servingStandings, statusOf } from './volume-state.ts'

export async function reconcileReencryptions(parts: VpcParts, copies: Copies): Promise<void> {
  for (const one of await unfinishedReencryptions(parts.database.reads, parts.region)) await proceed(parts, copies, one)
}

async function proceed(parts: VpcParts, copies: Copies, one: Reencryption): Promise<void> {
  if (one.phase === 'requested' && one.createdAt < overdueBefore(parts)) return await abandon(parts, one)
  const volume = await readVolumeForWork(parts.database.reads, one.volumeId)
  if (!volume || volume.phase === 'deleting') return
  if (one.phase === 'abandoned') return await undo(parts, one, volume)
  if (one.phase === 'changed') return await finish(parts, one)
  if (one.phase !== 'running' || statusOf(volume) === 'unusable' || copies.isRunning(volume.id)) return
  copies.start(volume.id, () => reencrypt(parts, one, volume))
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
async function abandon(parts: VpcParts, { volumeId, accountId, volumeCrn, newerKeyCrn: keyCrn }: Reencryption) {
  await parts.database.transaction(async (tx) => {
    if (!(await moveReencryption(tx, volumeId, 'requested', { phase: 'abandoned' }))) return
    const reason = 'the request did not come to its end'
    await parts.outbox.append(tx, { type: 'vpc.volume.reencryption-refused', accountId, volumeCrn, keyCrn, reason })
  })
}

/** The registration may be the volume's own: one key of it under one root key. */
async function undo(parts: VpcParts, one: Reencryption, volume: Volume): Promise<void> {
  if (one.newerKeyCrn !== volume.keyCrn) await returnVolumeKey(parts.kms, { ...volume, keyCrn: one.newerKeyCrn })
  await parts.database.transaction(async (tx) => void (await removeReencryption(tx, one.volumeId, 'abandoned')))
}

async function reencrypt(parts: VpcParts, one: Reencryption, volume: Volume): Promise<void> {
  // Whoever opens it from here on needs both keys.
  await tellExport(parts, volume)
  // The limit may be another by now than when this was written down.
  const now = await reencryptionOf(parts.database.reads, volume.id)
  await parts.disk.reencryptVolume(volumeSpec(volume), bytesPerSecondOf(now ?? one))
  await parts.database.transaction(async (tx) => {
    if (!(await changeKeys(tx, one))) return
    const { accountId, volumeCrn, olderKeyCrn, newerKeyCrn: keyCrn } = one
    await parts.outbox.append(tx, { type: 'vpc.volume.reencrypted', accountId, volumeCrn, olderKeyCrn, keyCrn })
  })
  const changed = await readVolumeForWork(parts.database.reads, volume.id)
  if (changed?.wrappedDataKey) await tellExport(parts, changed)
}

async function finish(parts: VpcParts, one: Reencryption): Promise<void> {
  const { accountId, volumeId, volumeCrn: crn, olderKeyCrn, newerKeyCrn } = one
  if (olderKeyCrn !== newerKeyCrn) await returnVolumeKey(parts.kms, { accountId, crn, keyCrn: olderKeyCrn })
  await parts.database.transaction(
    async (tx) =>
      void (await moveReencryption(tx, volumeId, 'changed', { phase: 'done', completed_at: parts.clock.now() })),
  )
}

/** What the next opening of an attached volume needs to know. */
export async function tellExport(parts: VpcParts, volume: Volume): Promise<void> {
  const attachment = (await attachmentsOf(parts.database.reads, [volume])).get(volume.id)
  if (attachment?.status !== 'attached' || !isServed(attachment.instance.status)) return
  await parts.disk.addExport({ attachmentId: attachment.id, volume: volumeSpec(volume) })
  await withdrawIfEnded(parts, attachment)
}

/** Of a volume that goes, whose image has gone: what is registered beside the key that its row says. */
export async function returnSecondKeys(parts: VpcParts, volume: Volume): Promise<void> {
  const one = await reencryptionOf(parts.database.reads, volume.id)
  if (!one) return
  for (const keyCrn of new Set([one.olderKeyCrn, one.newerKeyCrn])) {
    if (keyCrn !== volume.keyCrn) await returnVolumeKey(parts.kms, { ...volume, keyCrn })
  }
}

/** Of two keys, either one decides that the volume does not open. */
export async function followBetweenKeys(parts: VpcParts): Promise<void> {
  const { database, kms, outbox, clock, region } = parts
  for (const volume of await runningVolumes(database.reads, region)) {
    if (!volume.newer) continue
    const as = blockStorageOf(volume.accountId)
    const reports = await kms.standings([
      { keyCrn: volume.keyCrn, as },
      { keyCrn: volume.newer.keyCrn, as },
    ])
    const standing = standingOfBoth(reports.map((report) => report.standing))
    await database.transaction(async (tx) => {
      const now = await noteStandingBetweenKeys(tx, volume, standing, clock.now())
      if (!now) return
      const attachment = (await attachmentsOf(tx, [volume])).get(volume.id)
      const before = { ...now, keyStanding: volume.keyStanding }
      const isUnusable = [before, now].some((each) => shownStatus(parts, each, attachment) === 'unusable')
      if (isUnusable) await outbox.append(tx, statusEvent(now))
    })
  }
}

const opens: readonly KeyStanding[] = servingStandings

const standingOfBoth = (standings: readonly KeyStanding[]): KeyStanding =>
  standings.find((standing) => !opens.includes(standing)) ??
  standings.find((standing) => standing !== 'usable') ??
  'usable'

/** Nothing else is made of an image that lies under two keys, and it stays where it is. */
export async function refuseBetweenKeys(reads: Reads, { id }: Pick<Volume, 'id'>): Promise<void> {
  if ((await volumesBetweenKeys(reads, [id])).length === 0) return
  throw new Fault('conflict', `volume ${id} is being re-encrypted`, { reason: 'volume_being_reencrypted' })
}
