// What requests for snapshots hear when they cannot be met. Source: VPC API error catalogue, `snapshots_*`; VPC docs,
// "Troubleshooting snapshots".

import { Fault } from '#base/fault.ts'
import { snapshotSourceGbMax } from '#base/limits.ts'
import type { Volume } from './volume.ts'
import type { KeyRefused } from './volume-key.ts'

/** A member of the part of the body that `field` names; empty for the body itself. */
export const below = (field: string, name: string): string => (field === '' ? name : `${field}.${name}`)

/** The volume's key is not the body's to name, so what is wrong with it is wrong with the volume. */
export const keyInvalid = (cause: KeyRefused, field: string): Fault =>
  new Fault('invalid', `the key of the source volume cannot be used: ${cause.message}`, {
    reason: 'snapshots_encryption_key_invalid',
    target: { type: 'field', name: below(field, 'source_volume') },
    cause,
    ...(cause.explanation && { explanation: cause.explanation }),
  })

export const nameTaken = (name: string, field: string): Fault =>
  new Fault('invalid', `Provided Name (${name}) is not unique`, {
    reason: 'validation_unique_failed',
    target: { type: 'field', name: field },
  })

export const sourceUnknown = (id: string, field: string): Fault =>
  new Fault('invalid', `volume with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'snapshots_source_volume_not_found',
    target: { type: 'field', name: below(field, 'source_volume') },
  })

export const notBootable = (field: string): Fault =>
  new Fault('invalid', 'allowed_use is for what a machine can boot from only', {
    reason: 'bad_field',
    target: { type: 'field', name: below(field, 'allowed_use') },
  })

/** VPC docs, "Troubleshooting snapshots": what a resize or a second snapshot hears meanwhile. */
export const busy = ({ id }: Pick<Volume, 'id'>): Fault =>
  new Fault('conflict', `volume is locked: a snapshot of volume ${id} is being taken`, {
    reason: 'snapshots_source_volume_busy',
  })

export const conflict = (reason: string, message: string, field: string): Fault =>
  new Fault('conflict', message, { reason, target: { type: 'field', name: below(field, 'source_volume') } })

export const tooLarge = ({ id, capacityGb }: Volume, field: string): Fault =>
  new Fault('invalid', `volume ${id} has ${capacityGb} GB, and snapshots are taken of at most ${snapshotSourceGbMax}`, {
    reason: 'bad_field',
    target: { type: 'field', name: below(field, 'source_volume') },
  })

export const givenUp = (): Fault => new Fault('unavailable', 'making the snapshot took too long: it was given up')
