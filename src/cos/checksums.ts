// The checksums that clients prove a body by. Source: Amazon S3, "Checking object integrity".

import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Crc32cJs, Crc64NvmeJs } from '@aws-sdk/checksums/crc'

export interface RunningChecksum {
  update(bytes: Uint8Array): void
  /** Base64, as headers have it. */
  value(): Promise<string>
}

const hashed = (name: string): RunningChecksum => {
  const hash = createHash(name)
  return { update: (bytes) => void hash.update(bytes), value: async () => hash.digest('base64') }
}

/** Those of the AWS SDK that Node does not have. */
const ofSdk = (checksum: { update(bytes: Uint8Array): void; digest(): Promise<Uint8Array> }): RunningChecksum => ({
  update: (bytes) => checksum.update(bytes),
  value: async () => Buffer.from(await checksum.digest()).toString('base64'),
})

function crc32OfNode(): RunningChecksum {
  let state = 0
  return {
    update: (bytes) => void (state = crc32(bytes, state)),
    async value() {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(state)
      return bytes.toString('base64')
    },
  }
}

/** By what headers call them, `x-amz-checksum-NAME`. */
export const checksums = {
  crc32: crc32OfNode,
  crc32c: () => ofSdk(new Crc32cJs()),
  crc64nvme: () => ofSdk(new Crc64NvmeJs()),
  sha1: () => hashed('sha1'),
  sha256: () => hashed('sha256'),
} as const satisfies Record<string, () => RunningChecksum>

export type ChecksumName = keyof typeof checksums

export const checksumNames = Object.keys(checksums) as readonly ChecksumName[]

export const checksumHeader = (name: string): string => `x-amz-checksum-${name}`

/** The algorithm of such a header's name; null for other headers. */
export const checksumOfHeader = (header: string): ChecksumName | null =>
  checksumNames.find((name) => checksumHeader(name) === header) ?? null
