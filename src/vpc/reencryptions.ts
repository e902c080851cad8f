// Re-encryption of volumes, as requests reach it. The steps are those of a new volume (volume-create.ts): a row, hidden; a data
// key under the newer root key, with its registration; the key in the volume's row, from where on both are needed to open it.
// What follows is reencrypt.ts. The registration of the older key goes when nothing is under it any more.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { providerAccountId } from '#base/provider.ts'
import type { Context } from '#iam/port.ts'
import type { ResourceSize, WrappedDataKey } from '#kms/port.ts'
import type { reencryptionPatch, reencryptionPrototype } from './contract-reencryption.ts'
import { refuseCopy } from './integrity.ts'
import type { VpcParts } from './parts.ts'
import { bytesPerMib } from './reencryption.ts'
import type { Reencryption } from './reencryption.ts'
import { progressOf } from './restore.ts'
import { isVolumeBusy } from './snapshot-create.ts'
import {
  insertReencryption,
  keepNewerKey,
  limitReencryption,
  moveReencryption,
  readReencryption,
  reencryptionOf,
  removeReencryption,
} from './tables-reencryptions.ts'
import { locateVolume, readVolume } from './tables-volumes.ts'
import type { UpdateVolume } from './tables-volumes.ts'
import { readVolumeForWork } from './tables-work.ts'
import { targetOf } from './targets.ts'
import { blockStorageOf, bytesPerGb } from './volume.ts'
import type { Volume } from './volume.ts'
import { checkKeyCrn, KeyRefused, requestVolumeKey, returnVolumeKey, sizeOf } from './volume-key.ts'
import { keyReason, mayInStatus, statusOf } from './volume-state.ts'
import { notFound } from './volumes.ts'

export type Reencryptions = ReturnType<typeof makeReencryptions>

export function makeReencryptions(parts: VpcParts) {
  const { database, disk, iam, kms, outbox, clock } = parts

  /** Who may not know that a volume exists reads that it does not. */
  async function grantOn<Action extends string>(context: Context, action: Action, id: string) {
    const at = { accountId: context.caller.accountId, region: parts.region }
    const place = await locateVolume(database.reads, { ...at, id })
    if (!place) throw notFound(id)
    return await iam.authorize(context.caller, action, targetOf('volume', place))
  }

  async function view(volume: Volume, one: Reencryption) {
    const isDone = one.phase === 'done' || one.phase === 'changed'
    const bytesTotal = volume.capacityGb * bytesPerGb
    const progress = isDone ? null : await progressOf(parts, volume.id)
    return {
      volume: { id: volume.id, crn: volume.crn },
      status: isDone
        ? ('done' as const)
        : statusOf(volume) === 'unusable'
          ? ('waiting' as const)
          : ('running' as const),
      encryption_key: isOfProvider(one.newerKeyCrn) ? null : { crn: one.newerKeyCrn },
      previous_encryption_key: isOfProvider(one.olderKeyCrn) ? null : { crn: one.olderKeyCrn },
      limit_mib_per_second: one.mibPerSecond,
      bytes_done: isDone ? bytesTotal : (progress?.doneBytes ?? null),
      bytes_total: bytesTotal,
      created_at: rfc3339(one.createdAt),
      ...(one.completedAt !== null && { completed_at: rfc3339(one.completedAt) }),
    }
  }

  /** The full name of the key as far as its owner lets us know it, so that two names of one key are seen to be one. */
  async function fullName(keyCrn: string, accountId: string): Promise<string> {
    const [report] = await kms.standings([{ keyCrn: checkKeyCrn(keyCrn), as: blockStorageOf(accountId) }])
    return report?.keyCrn ?? keyCrn
  }

  async function request(context: Context, grant: UpdateVolume, body: Static<typeof reencryptionPrototype>) {
    const { accountId } = grant.target
    const wanted = body.encryption_key && (await fullName(body.encryption_key.crn, accountId))
    return await database.transaction(async (tx) => {
      const volume = await readVolume(tx, grant)
      if (!volume) throw notFound(grant.target.resource ?? '')
      refuseCopy(volume.isAuthenticated, 'id', 're-encryption')
      refuseInStatus(volume)
      const one: Reencryption = {
        volumeId: volume.id,
        volumeCrn: volume.crn,
        accountId,
        region: volume.region,
        phase: 'requested',
        olderKeyCrn: volume.keyCrn,
        newerKeyCrn: wanted ?? volume.keyCrn,
        isProviderManaged: wanted === undefined && volume.isProviderManaged,
        mibPerSecond: body.limit_mib_per_second ?? null,
        createdAt: clock.now(),
        completedAt: null,
      }
      if (!(await insertReencryption(tx, grant, one))) throw underWay(volume)
      if (await isVolumeBusy(tx, volume)) throw busyWithCopies(volume)
      const { olderKeyCrn, newerKeyCrn: keyCrn } = one
      const facts = { accountId, initiatorId: context.caller.iamId, volumeCrn: volume.crn, olderKeyCrn, keyCrn }
      await outbox.append(tx, { type: 'vpc.volume.reencryption-requested', ...facts })
      return { one, size: sizeOf(volume) }
    })
  }

  /** After a refusal nothing is left; after any other failure the row stays hidden until its traces are gone. */
  async function keyOrNothing(context: Context, one: Reencryption, size: ResourceSize): Promise<WrappedDataKey> {
    const { accountId, volumeId, volumeCrn, newerKeyCrn: keyCrn } = one
    try {
      return await requestVolumeKey(kms, { accountId, crn: volumeCrn, keyCrn }, size)
    } catch (error) {
      const refusal = error instanceof KeyRefused ? error : null
      await database.transaction(async (tx) => {
        const isEnded = refusal
          ? await removeReencryption(tx, volumeId, 'requested')
          : await moveReencryption(tx, volumeId, 'requested', { phase: 'abandoned' })
        if (!isEnded) return
        const reason = refusal?.reason ?? 'the key manager did not answer'
        const facts = { accountId, initiatorId: context.caller.iamId, volumeCrn, keyCrn, reason }
        await outbox.append(tx, { type: 'vpc.volume.reencryption-refused', ...facts })
      })
      throw error
    }
  }

  async function keep(context: Context, grant: UpdateVolume, one: Reencryption, key: WrappedDataKey): Promise<void> {
    const { accountId, volumeId, volumeCrn, olderKeyCrn } = one
    const initiatorId = context.caller.iamId
    const outcome = await database.transaction(async (tx) => {
      // What took too long has been given up, and another request may be in its place.
      const now = await reencryptionOf(tx, volumeId)
      if (now?.phase !== 'requested' || now.createdAt !== one.createdAt) return 'late'
      if (await keepNewerKey(tx, grant, key)) {
        const facts = { accountId, initiatorId, volumeCrn, olderKeyCrn, keyCrn: key.keyCrn }
        await outbox.append(tx, { type: 'vpc.volume.reencryption-started', ...facts })
        return 'kept'
      }
      await moveReencryption(tx, volumeId, 'requested', { phase: 'abandoned' })
      const reason = 'the volume is not available any more'
      const facts = { accountId, initiatorId, volumeCrn, keyCrn: key.keyCrn, reason }
      await outbox.append(tx, { type: 'vpc.volume.reencryption-refused', ...facts })
      return 'given up'
    })
    if (outcome === 'kept') return
    if (outcome === 'late') await returnLateKey(one, key)
    throw new Fault('conflict', `volume ${volumeId} is not available any more`, unavailable)
  }

  /** Whoever undid the request may have done so before there was a registration. */
  async function returnLateKey({ volumeId, volumeCrn, accountId }: Reencryption, { keyCrn }: WrappedDataKey) {
    const [volume, other] = await Promise.all([
      readVolumeForWork(database.reads, volumeId),
      reencryptionOf(database.reads, volumeId),
    ])
    const inUse = [volume?.keyCrn, volume?.newer?.keyCrn, ...(other?.phase === 'abandoned' ? [] : keysOf(other))]
    if (!inUse.includes(keyCrn)) await returnVolumeKey(kms, { accountId, crn: volumeCrn, keyCrn })
  }

  async function answer(grant: Parameters<typeof readReencryption>[1], id: string) {
    const volume = await readVolume(database.reads, grant)
    if (!volume) throw notFound(id)
    const one = await readReencryption(database.reads, grant)
    if (!one) throw new Fault('not_found', `volume ${id} was never re-encrypted`, { reason: 'not_found' })
    return await view(volume, one)
  }

  return {
    async create(context: Context, id: string, body: Static<typeof reencryptionPrototype>) {
      const grant = await grantOn(context, 'is.volume.volume.update', id)
      const { one, size } = await request(context, grant, body)
      await keep(context, grant, one, await keyOrNothing(context, one, size))
      return await answer(grant, id)
    },

    async get(context: Context, id: string) {
      return await answer(await grantOn(context, 'is.volume.volume.read', id), id)
    },

    async limit(context: Context, id: string, body: Static<typeof reencryptionPatch>) {
      const grant = await grantOn(context, 'is.volume.volume.update', id)
      const mibPerSecond = body.limit_mib_per_second
      await database.transaction(async (tx) => {
        const volume = await readVolume(tx, grant)
        if (!volume) throw notFound(id)
        if (!(await limitReencryption(tx, grant, mibPerSecond))) throw notUnderWay(volume)
        const { accountId, crn: volumeCrn } = volume
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.volume.reencryption-limited', accountId, initiatorId, volumeCrn })
      })
      // Where its disk cannot be reached, the row says it when that is started again.
      const bytesPerSecond = mibPerSecond === null ? null : mibPerSecond * bytesPerMib
      await disk
        .limitReencryption(grant.target.resource ?? id, bytesPerSecond)
        .catch((err: unknown) => parts.log.warn({ err, volumeId: id }, 'a disk was not told of a limit'))
      return await answer(grant, id)
    },
  }
}

const keysOf = (one: Reencryption | null) => (one ? [one.olderKeyCrn, one.newerKeyCrn] : [])

/** The provider's keys are nobody's to see. */
const isOfProvider = (keyCrn: string): boolean => parseCrn(keyCrn)?.accountId === providerAccountId

const unavailable = { reason: 'volume_status_not_available' } as const

function refuseInStatus(volume: Volume): void {
  const status = statusOf(volume)
  if (mayInStatus('reencrypt', status)) return
  const why = status === 'unusable' ? keyReason(volume.keyStanding) : null
  const because = why ? `: ${why.message} (${why.code})` : ''
  throw new Fault('conflict', `volume ${volume.id} is ${status}, not available${because}`, unavailable)
}

const underWay = ({ id }: Volume): Fault =>
  new Fault('conflict', `volume ${id} is being re-encrypted already`, { reason: 'volume_being_reencrypted' })

const notUnderWay = ({ id }: Volume): Fault =>
  new Fault('conflict', `volume ${id} is not being re-encrypted`, { reason: 'volume_not_being_reencrypted' })

const busyWithCopies = ({ id }: Volume): Fault =>
  new Fault('conflict', `volume ${id} is being copied: a snapshot or an image of it is being made`, {
    reason: 'snapshots_source_volume_busy',
  })
