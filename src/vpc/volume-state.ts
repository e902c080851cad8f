// What a volume's status is and what may be done in it, as data. Pure: the console reads the same tables.
// Sources: VPC API, "Volumes" (status, health_state, attachment_state); VPC docs, "Block Storage volume statuses" and
// "Managing data encryption", for what each key event does to a volume.

import type { KeyStanding } from '#kms/port.ts'
import type { VolumePhase } from '#store/schema/vpc.ts'

export type VolumeStatus = 'available' | 'failed' | 'pending' | 'pending_deletion' | 'unusable' | 'updating'

/** Phases of which readers know nothing: the volume may still turn out to have no key. */
export const hiddenPhases = ['requested', 'abandoned'] as const satisfies readonly VolumePhase[]

/**
 * Key Protect, "Key states": an expired (deactivated) key still unwraps what it once wrapped, so its volumes go on.
 * A disabled key makes volumes unusable at once (VPC API change log, 16 December 2020).
 */
const standingOpens = {
  usable: true,
  expired: true,
  disabled: false,
  deleted: false,
  unauthorized: false,
} as const satisfies Record<KeyStanding, boolean>

// The keys of a complete table.
export const keyStandings = Object.keys(standingOpens) as readonly KeyStanding[]

/** Standings under which a volume serves; for conditional updates. */
export const servingStandings = ['usable', 'expired'] as const satisfies readonly KeyStanding[]

/** The two halves of the truth about a volume: how far our own work has come, and what its key's owner says. */
export interface VolumeTruth {
  readonly phase: VolumePhase
  readonly keyStanding: KeyStanding
}

/** A volume that lives is what its phase says while its key opens, and unusable while it does not. */
export function statusOf({ phase, keyStanding }: VolumeTruth): VolumeStatus {
  return livesOnKey(phase) && !standingOpens[keyStanding] ? 'unusable' : statusOfPhase[phase]
}

/**
 * Where volumes in use run on until they are stopped (docs/decisions/0019-revocation.md), these standings change nothing
 * about them before that; VPC docs, "Managing data encryption", the table of key states.
 */
const sparing: ReadonlySet<KeyStanding> = new Set(['disabled', 'unauthorized'])

export const statusInUse = (truth: VolumeTruth): VolumeStatus =>
  sparing.has(truth.keyStanding) ? statusOfPhase[truth.phase] : statusOf(truth)

/** Phases in which the key's standing decides what becomes of a volume; in the others that is settled. */
export const keyedPhases = ['keyed', 'formatted', 'updating'] as const satisfies readonly VolumePhase[]

const livesOnKey = (phase: VolumePhase): boolean => keyedPhases.some((one) => one === phase)

const statusOfPhase = {
  requested: 'pending',
  abandoned: 'pending_deletion',
  keyed: 'pending',
  formatted: 'available',
  updating: 'updating',
  failed: 'failed',
  deleting: 'pending_deletion',
} as const satisfies Record<VolumePhase, VolumeStatus>

export type VolumeAction = 'attach' | 'connect' | 'delete' | 'reencrypt' | 'resize' | 'snapshot' | 'update'

/**
 * VPC API, "Delete a volume": available or failed, and by the encryption pages unusable too. "Create a volume
 * attachment", changes of capacity and performance (`resize`) and "Create a snapshot": available only. Names and tags may change at any time
 * but on the way out.
 */
export const allowedIn = {
  attach: ['available'],
  connect: ['available', 'updating'],
  delete: ['available', 'failed', 'unusable'],
  reencrypt: ['available'],
  resize: ['available'],
  snapshot: ['available'],
  update: ['available', 'failed', 'pending', 'unusable', 'updating'],
} as const satisfies Record<VolumeAction, readonly VolumeStatus[]>

export const mayInStatus = (action: VolumeAction, status: VolumeStatus): boolean => {
  const statuses: readonly VolumeStatus[] = allowedIn[action]
  return statuses.includes(status)
}

/** VPC API, `health_state`: only a volume that can be used is healthy or not; for the others it is inapplicable. */
export const healthOf = (status: VolumeStatus): 'ok' | 'inapplicable' =>
  status === 'available' || status === 'updating' ? 'ok' : 'inapplicable'

/**
 * VPC API, `attachment_state`: `unusable` is a volume that cannot be attached to any instance. An attached one stays
 * so.
 */
export function attachmentStateOf(truth: VolumeTruth, attached: boolean): 'attached' | 'unattached' | 'unusable' {
  if (attached) return 'attached'
  return statusOf(truth) === 'unusable' ? 'unusable' : 'unattached'
}

export interface StatusReason {
  readonly code: string
  readonly message: string
}

/** The first two codes are the documented ones; the third is ours, in their spelling, for a withdrawn authorization. */
const keyReasons: Readonly<Record<KeyStanding, StatusReason | null>> = {
  usable: null,
  expired: null,
  disabled: { code: 'encryption_key_disabled', message: 'the root key that protects this volume is disabled' },
  deleted: { code: 'encryption_key_deleted', message: 'the root key that protects this volume was deleted' },
  unauthorized: {
    code: 'encryption_key_not_authorized',
    message: "the account of the root key no longer authorizes this account's block storage to use it",
  },
}

/** What a volume's key says against it, or null while it opens. */
export const keyReason = (standing: KeyStanding): StatusReason | null => keyReasons[standing]
