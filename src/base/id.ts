// Ids have kinds, so that a key id cannot be passed where a volume id belongs. They are made here and nowhere else.

import type { Random } from './random.ts'

declare const kind: unique symbol
export type Id<Kind extends string> = string & { readonly [kind]: Kind }

export type AccountId = Id<'account'>
export type PolicyId = Id<'policy'>
export type InstanceId = Id<'instance'>
export type VolumeId = Id<'volume'>
export type AttachmentId = Id<'attachment'>
export type ImageId = Id<'image'>
export type ImageExportId = Id<'image-export'>
export type SnapshotId = Id<'snapshot'>
export type SnapshotGroupId = Id<'snapshotGroup'>
export type KeyId = Id<'key'>
export type KeyVersionId = Id<'keyVersion'>
export type KmsInstanceId = Id<'kmsInstance'>
export type ResourceGroupId = Id<'resourceGroup'>

const hex32 = /^[0-9a-f]{32}$/
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const isHex32 = (text: string): boolean => hex32.test(text)
export const isUuid = (text: string): boolean => uuid.test(text)

/** A version 4 UUID (RFC 9562, section 5.4) from the given source of chance. */
export function makeUuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** 32 lower-case hexadecimal digits: the form of account ids and resource group ids. */
export const makeHex32 = (random: Random): string => Buffer.from(random.bytes(16)).toString('hex')
