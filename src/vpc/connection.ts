// How a machine gets at an attached volume: an address, and a secret that lives a day. Whoever may attach may connect,
// so the same leave is asked for: to update the instance and to operate the volume (VPC has no such operation; its
// hypervisors connect by themselves).

import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { connectionSecretMs } from '#base/limits.ts'
import type { Connection } from '#disk/port.ts'
import type { Context, Grant } from '#iam/port.ts'
import { volumeGrant } from './attached-volume.ts'
import { attachmentNotFound } from './attachments.ts'
import type { AttachmentView } from './instance.ts'
import { instanceGrant } from './instance-grants.ts'
import { isServed } from './instance-state.ts'
import { runsHere } from './machines.ts'
import type { VpcParts } from './parts.ts'
import { withdrawIfEnded } from './reconcile-exports.ts'
import { readAttachment, readAttachments } from './tables-attachments.ts'
import type { UpdateInstance } from './tables-instances.ts'
import { readServingVolume, readVolume } from './tables-volumes.ts'
import { volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { keyReason, mayInStatus, statusOf } from './volume-state.ts'

export type Connections = ReturnType<typeof makeConnections>

interface Leave {
  readonly instance: UpdateInstance
  readonly volume: Grant<'is.volume.volume.operate'>
}

export function makeConnections(parts: VpcParts) {
  const { database, disk } = parts

  return {
    async create(context: Context, instanceId: string, id: string) {
      const instance = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const attachment = await readAttachment(database.reads, instance, id)
      if (!attachment) throw attachmentNotFound(id)
      const leave = {
        instance,
        volume: await volumeGrant(parts, context, 'is.volume.volume.operate', attachment.volumeId),
      }
      const volume = await readVolume(database.reads, leave.volume)
      if (!volume || attachment.status === 'detaching') throw attachmentNotFound(id)
      if (!isServed(attachment.instance.status)) throw notRunning(attachment)
      if (runsHere(parts.compute, await readAttachments(database.reads, [instance]))) throw runsAlready(attachment)
      if (!mayInStatus('connect', statusOf(volume))) throw notServing(volume)

      await disk.addExport({ attachmentId: attachment.id, volume: volumeSpec(volume) })
      if (await withdrawIfEnded(parts, attachment)) throw attachmentNotFound(id)
      const connection = await disk.connect(volume.id, attachment.id, connectionSecretMs)
      await record(context, leave, attachment, connection)
      return {
        uri: connection.uri,
        tls: { psk_identity: connection.pskIdentity, psk_key: connection.pskKey },
        unix_uri: connection.unixUri,
        expires_at: rfc3339(connection.expiresAt),
      }
    },
  }

  /** A secret leaves only if at that moment it is still somebody's to have, and then that it left is on record. */
  async function record(context: Context, leave: Leave, attachment: AttachmentView, { expiresAt }: Connection) {
    await database.transaction(async (tx) => {
      const now = await readAttachment(tx, leave.instance, attachment.id)
      if (!now || now.status === 'detaching') throw attachmentNotFound(attachment.id)
      const volume = await readVolume(tx, leave.volume)
      if (!volume) throw attachmentNotFound(attachment.id)
      if (!(await readServingVolume(tx, leave.volume))) throw notServing(volume)
      const facts = { accountId: volume.accountId, initiatorId: context.caller.iamId, volumeCrn: volume.crn }
      const { id: attachmentId } = attachment
      await parts.outbox.append(tx, { type: 'vpc.connection.issued', ...facts, attachmentId, expiresAt })
    })
  }
}

/** A machine that is off has no disks: what it was lent was given back. */
const notRunning = ({ instance }: AttachmentView): Fault =>
  new Fault('conflict', `instance ${instance.id} is ${instance.status}: start it to connect to its volumes`)

/** Two writers on one file system would ruin it. */
const runsAlready = ({ instance }: AttachmentView): Fault =>
  new Fault('conflict', `instance ${instance.id} is run on this server, which connects it to its volumes by itself`)

function notServing(volume: Volume): Fault {
  const status = statusOf(volume)
  const reason = status === 'unusable' ? keyReason(volume.keyStanding) : volume.failure
  const why = reason ? `: ${reason.message} (${reason.code})` : ''
  return new Fault('conflict', `volume ${volume.id} is ${status}${why}`, { reason: 'volume_status_not_available' })
}
