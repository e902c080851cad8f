// Domain to wire: keys, versions and registrations as the API shows them, each list and each single thing in an envelope.
// Source: Key Protect API v2, "Key" and "Registrations". What stands around keys is in views-settings.ts.

import type { Static } from 'typebox'
import { rfc3339Seconds } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { envelope } from './envelope.ts'
import { crnOf } from './key.ts'
import type { Key, KeyVersion } from './key.ts'
import { deletionSetAt } from './action-rules.ts'
import { mayBeRestored } from './key-deletion.ts'
import { preference } from './key-request.ts'
import type { NewKey } from './key-request.ts'
import { stateNumbers } from './key-state.ts'
import type { Listed, ListedKeys, ShownKey } from './keys.ts'
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
import { waits } from './waits.ts'

type KeyView = Static<typeof keySchema>
type KeyCollection = Static<typeof keyCollection>

export function keyPage({ items, totalCount, aliases, search }: ListedKeys, now: number): KeyCollection {
  const views = items.map((key) => keyView({ key, aliases: aliases.get(key.id) ?? [], payload: null }, now))
  const { metadata, resources } = envelope('key', views, totalCount)
  if (!search) return { metadata, resources }
  const { text: query, scopes, not, exact, incomplete: incompleteSearch } = search
  return {
    metadata: { ...metadata, incompleteSearch, searchQuery: { query, scopes: [...scopes], not, exact } },
    resources,
  }
}

export const oneKey = (shown: ShownKey, now: number): KeyCollection => envelope('key', [keyView(shown, now)])

export type Headers = Readonly<Record<string, string | undefined>>

/** Key Protect API, "Prefer": a creation answers with the whole key unless `return=minimal` is preferred. */
export function createdKey(headers: Headers, shown: ShownKey, { imported }: NewKey, now: number): KeyCollection {
  if (preference(headers['prefer'], 'representation') === 'minimal') {
    return envelope('key', [{ type: mediaType('key'), id: shown.key.id }])
  }
  const { transport } = imported ?? {}
  if (!transport) return oneKey(shown, now)
  const { encryptedNonce, iv, oaepHash } = transport
  const encryptionAlgorithm = oaepHash === 'sha1' ? 'RSAES_OAEP_SHA_1' : 'RSAES_OAEP_SHA_256'
  return envelope('key', [{ ...keyView(shown, now), encryptedNonce, iv, encryptionAlgorithm }])
}

/** As above, but a deletion and a purge answer 204 unless `return=representation` is preferred. */
export const removedKey = (headers: Headers, shown: ShownKey, now: number): KeyCollection | Reply<undefined> =>
  preference(headers['prefer'], 'minimal') === 'representation' ? oneKey(shown, now) : reply(undefined, {}, 204)

/** A dry run of an action that nothing refuses: Keyward's own, and said in a header so that nobody takes it for the action. */
export const wouldBeDone = (): Reply<undefined> => reply(undefined, { 'keyward-dry-run': 'true' }, 204)

/** A restoration answers 201 with the key, or without a body where that is preferred. */
export const restoredKey = (headers: Headers, shown: ShownKey, now: number): Reply<KeyCollection> | Reply<undefined> =>
  preference(headers['prefer'], 'representation') === 'minimal'
    ? reply(undefined, {}, 201)
    : reply(oneKey(shown, now), {}, 201)

export const keyTotal = (count: number): Record<string, string> => ({ 'key-total': String(count) })

export const versionPage = ({ items, totalCount }: Listed<KeyVersion>): Static<typeof versionCollection> =>
  envelope('key', items.map(versionView), totalCount)

export const registrationPage = ({ items, totalCount }: Listed<Registration>): Static<typeof registrationCollection> =>
  envelope('registration', items.map(registrationView), totalCount)

export const oneRegistration = (registration: Registration): Static<typeof registrationCollection> =>
  envelope('registration', [registrationView(registration)])

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

function keyView({ key, aliases, payload }: ShownKey, now: number): KeyView {
  return {
    type: mediaType('key'),
    id: key.id,
    name: key.name,
    aliases: [...aliases],
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
    ...policyViews(key, now),
    ...deletionView(key, now),
    ...(payload !== null && { payload }),
  }
}

function policyViews(key: Key, now: number): Pick<KeyView, 'dualAuthDelete' | 'rotation'> {
  const { rotation, dualAuthDelete } = key.policies
  const set = deletionSetAt(key, now)
  const authExpiration = set && rfc3339Seconds(set.until)
  return {
    dualAuthDelete: dualAuthDelete?.enabled
      ? { enabled: true, keySetForDeletion: set !== null, ...(authExpiration && { authExpiration }) }
      : { enabled: false },
    ...(rotation && { rotation: { enabled: rotation.enabled, interval_month: rotation.months } }),
  }
}

/** Constants that clients of old still read. The mode they once named is not ours; the API allows this word for it. */
const deprecated = {
  algorithmType: 'AES',
  algorithmMode: 'Deprecated',
  algorithmBitSize: 256,
  algorithmMetadata: { bitLength: '256', mode: 'Deprecated' },
} as const

function deletionView(key: Key, now: number): Partial<KeyView> {
  const { deleted } = key
  if (!deleted) return { deleted: false }
  return {
    deleted: true,
    deletionDate: rfc3339Seconds(deleted.at),
    deletedBy: deleted.by,
    restoreExpirationDate: rfc3339Seconds(deleted.at + waits.restoreMs),
    restoreAllowed: mayBeRestored(key, now),
    purgeAllowed: now >= deleted.at + waits.purgeMs,
    purgeAllowedFrom: rfc3339Seconds(deleted.at + waits.purgeMs),
    purgeScheduledOn: rfc3339Seconds(deleted.at + waits.keepDeletedMs),
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
    description: registration.description,
    preventKeyDeletion: registration.preventKeyDeletion,
    keyVersion: versionView(registration.keyVersion),
  }
}
