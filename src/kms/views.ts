// Domain to wire: keys, versions and registrations as the API shows them, each list and each single thing in an envelope.
// Source: Key Protect API v2, "Key" and "Registrations".

import type { Static } from 'typebox'
import { rfc3339Seconds } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { crnOf } from './key.ts'
import type { Key, KeyVersion } from './key.ts'
import { preference } from './key-request.ts'
import { stateNumbers } from './key-state.ts'
import type { Listed, ShownKey } from './keys.ts'
import type { Rewrapped, Unwrapped, Wrapped } from './key-use.ts'
import { serviceIamId } from './resource.ts'
import { mediaType } from './schemas.ts'
import type {
  keyCollection,
  keySchema,
  registrationCollection,
  rewrapReply,
  unwrapReply,
  versionCollection,
  versionSchema,
  wrapReply,
} from './schemas.ts'
import type { Registration } from './tables-registration.ts'

type KeyView = Static<typeof keySchema>
type KeyCollection = Static<typeof keyCollection>

export const keyPage = ({ items, totalCount }: Listed<Key>): KeyCollection =>
  envelope('key', items.map(keyView), totalCount)

export const oneKey = ({ key, payload }: ShownKey): KeyCollection =>
  envelope('key', [{ ...keyView(key), ...(payload !== null && { payload }) }], null)

type Headers = Readonly<Record<string, string | undefined>>

/** Key Protect API, "Prefer": a creation answers with the whole key unless `return=minimal` is preferred. */
export const createdKey = (headers: Headers, shown: ShownKey): KeyCollection =>
  preference(headers['prefer'], 'representation') === 'minimal'
    ? envelope('key', [{ type: mediaType('key'), id: shown.key.id }], null)
    : oneKey(shown)

/** As above, but a deletion answers 204 unless `return=representation` is preferred. */
export const deletedKey = (headers: Headers, key: Key): KeyCollection | Reply<undefined> =>
  preference(headers['prefer'], 'minimal') === 'representation'
    ? oneKey({ key, payload: null })
    : reply(undefined, {}, 204)

export const keyTotal = (count: number): Record<string, string> => ({ 'key-total': String(count) })

export const versionPage = ({ items, totalCount }: Listed<KeyVersion>): Static<typeof versionCollection> =>
  envelope('key', items.map(versionView), totalCount)

export const registrationPage = ({ items, totalCount }: Listed<Registration>): Static<typeof registrationCollection> =>
  envelope('registration', items.map(registrationView), totalCount)

export const wrapView = ({ ciphertext, versionId, plaintext }: Wrapped): Static<typeof wrapReply> => ({
  ...(plaintext !== null && { plaintext }),
  ciphertext,
  keyVersion: { id: versionId },
})

export const unwrapView = ({ plaintext, versionId, rewrapped }: Unwrapped): Static<typeof unwrapReply> => ({
  plaintext,
  keyVersion: { id: versionId },
  ...(rewrapped && { ciphertext: rewrapped.ciphertext, rewrappedKeyVersion: { id: rewrapped.versionId } }),
})

export const rewrapView = ({ ciphertext, openedById, versionId }: Rewrapped): Static<typeof rewrapReply> => ({
  ciphertext,
  keyVersion: { id: openedById },
  rewrappedKeyVersion: { id: versionId },
})

/** `collectionTotal` is the length of this page, by which clients page; `totalCount` only where they asked for it. */
function envelope<Resource>(kind: 'key' | 'registration', resources: Resource[], totalCount: number | null) {
  const metadata = { collectionType: mediaType(kind), collectionTotal: resources.length }
  return { metadata: totalCount === null ? metadata : { ...metadata, totalCount }, resources }
}

function keyView(key: Key): KeyView {
  return {
    type: mediaType('key'),
    id: key.id,
    name: key.name,
    aliases: [],
    ...(key.description !== null && { description: key.description }),
    tags: [...key.tags],
    state: stateNumbers[key.state],
    extractable: key.extractable,
    crn: crnOf(key),
    imported: key.imported,
    keyRingID: key.keyRing,
    creationDate: rfc3339Seconds(key.createdAt),
    createdBy: key.createdBy,
    lastUpdateDate: rfc3339Seconds(key.updatedAt),
    ...(key.rotatedAt !== null && { lastRotateDate: rfc3339Seconds(key.rotatedAt) }),
    ...(key.expiresAt !== null && { expirationDate: rfc3339Seconds(key.expiresAt) }),
    ...(!key.extractable && { keyVersion: versionView(key.newestVersion) }),
    ...deprecated,
    nonactiveStateReason: 0,
    dualAuthDelete: { enabled: false },
    ...deletionView(key),
  }
}

/** Constants that clients of old still read. The mode they once named is not ours; the API allows this word for it. */
const deprecated = {
  algorithmType: 'AES',
  algorithmMode: 'Deprecated',
  algorithmBitSize: 256,
  algorithmMetadata: { bitLength: '256', mode: 'Deprecated' },
} as const

function deletionView({ deleted }: Key): Partial<KeyView> {
  if (!deleted) return { deleted: false }
  return {
    deleted: true,
    deletionDate: rfc3339Seconds(deleted.at),
    deletedBy: deleted.by,
    // Neither is served yet, and a client may plan by them.
    restoreAllowed: false,
    purgeAllowed: false,
  }
}

const versionView = ({ id, createdAt }: KeyVersion): Static<typeof versionSchema> => ({
  id,
  creationDate: rfc3339Seconds(createdAt),
})

function registrationView(registration: Registration): Static<typeof registrationCollection>['resources'][number] {
  const by = serviceIamId(registration)
  return {
    keyId: registration.keyId,
    keyName: registration.keyName,
    resourceCrn: registration.resourceCrn,
    createdBy: by,
    creationDate: rfc3339Seconds(registration.createdAt),
    updatedBy: by,
    lastUpdated: rfc3339Seconds(registration.updatedAt),
    description: '',
    preventKeyDeletion: false,
    keyVersion: versionView(registration.keyVersion),
  }
}
