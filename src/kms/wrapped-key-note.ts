// What is written down of each wrapped data key, and the leaf that it is in the certificate of its key's end. Format:
// docs/formats.md, "Destroy certificate".

import { createHash } from 'node:crypto'
import { rfc3339 } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import { appendLeaves, rangeHash, rootHash } from '#crypto/merkle-tiles.ts'
import type { TileReader } from '#crypto/merkle-tiles.ts'
import { hashLeaf, inclusionRanges } from '#crypto/merkle-tree.ts'
import type { Registrant } from './resource.ts'
import type { WrappedKeyNote } from './tables-wrapped-key.ts'

export const saltBytes = 16

export const wrappedKeyNote = (
  made: {
    readonly keyId: string
    readonly keyVersionId: string
    readonly resourceCrn: string
    readonly wrapped: Uint8Array
    readonly by: Registrant
    readonly now: number
  },
  random: Random,
): WrappedKeyNote => ({
  keyId: made.keyId,
  resourceCrn: made.resourceCrn,
  serviceName: made.by.serviceName,
  accountId: made.by.accountId,
  keyVersionId: made.keyVersionId,
  sha256: new Uint8Array(createHash('sha256').update(made.wrapped).digest()),
  salt: random.bytes(saltBytes),
  madeAt: made.now,
})

export const leafOf = (note: WrappedKeyNote): string =>
  JSON.stringify({
    resource_crn: note.resourceCrn,
    service: note.serviceName,
    key_version_id: note.keyVersionId,
    wrapped_key_sha256: note.sha256 && Buffer.from(note.sha256).toString('hex'),
    wrapped_at: rfc3339(note.madeAt),
    salt: Buffer.from(note.salt).toString('hex'),
  })

export interface LeafTree {
  readonly root: Uint8Array
  /** The hashes that prove a leaf, from the leaf upwards. */
  proofOf(index: number): readonly Uint8Array[]
}

export function treeOf(notes: readonly WrappedKeyNote[]): LeafTree {
  const hashes = notes.map((note) => hashLeaf(Buffer.from(leafOf(note))))
  const tiles = new Map(appendLeaves(0, [], hashes).map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]))
  const read: TileReader = ({ level, index }) => tiles.get(`${level}/${index}`) ?? new Uint8Array(0)
  return {
    root: rootHash(notes.length, read),
    proofOf: (index) => inclusionRanges(index, notes.length).map((range) => rangeHash(range, read)),
  }
}
