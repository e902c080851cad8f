// Keys as things: made, found, listed. What is done with them is key-use.ts; what becomes of them is key-lifecycle.ts.

import type { Clock } from '#base/clock.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant } from '#iam/port.ts'
import type { Database, Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { found, noSuchInstance } from './access.ts'
import { base64 } from './base64.ts'
import { crnOf, defaultKeyRing, keyNotFound, requireRootKey, requireState } from './key.ts'
import type { Key, KeyVersion } from './key.ts'
import { generateMaterial, importMaterial, openVersion, sealVersion } from './key-material.ts'
import type { KeyFilterRequest, KeyListRequest, ListRequest, NewKey } from './key-request.ts'
import { isAllowed } from './key-state.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectInstance } from './tables-service.ts'
import { countKeys, insertKey, selectKey, selectKeys } from './tables-key.ts'
import { countVersions, insertFirstVersion, selectVersion, selectVersions } from './tables-version.ts'

/** A key with its material in base64, which only a standard key shows. */
export interface ShownKey {
  readonly key: Key
  readonly payload: string | null
}

export interface Listed<Item> {
  readonly items: readonly Item[]
  /** How many there are beyond the page, where the caller asked. */
  readonly totalCount: number | null
}

export type Keys = ReturnType<typeof makeKeys>

export function makeKeys(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly access: Access
}) {
  const { database, outbox, clock, random, sealer, access } = parts
  const { reads } = database

  async function create(asked: Asked, request: NewKey): Promise<ShownKey> {
    const { grant, instance } = await access.instance(asked, 'kms.secrets.create')
    const { extractable, payload, expiresAt, name, description, tags } = request
    using material = payload === null ? generateMaterial(random) : importMaterial(payload, kindOf(extractable))
    const id = makeUuid(random)
    const now = clock.now()
    // Key Protect, samples: the id of the first version is the key's.
    const first = sealVersion(sealer, { keyId: id, id, ordinal: 1, createdAt: now }, material)
    const initiatorId = asked.caller.iamId
    const key: Key = {
      id,
      instance,
      keyRing: defaultKeyRing,
      name,
      description,
      tags,
      extractable,
      imported: payload !== null,
      state: 'active',
      createdAt: now,
      createdBy: initiatorId,
      updatedAt: now,
      rotatedAt: null,
      expiresAt,
      deleted: null,
      newestVersion: { id, createdAt: now },
    }
    await database.transaction(async (tx) => {
      // It may have been deleted since the grant.
      if (!(await selectInstance(tx, instance.id))) throw noSuchInstance()
      await insertKey(tx, grant, key)
      await insertFirstVersion(tx, grant, first)
      await outbox.append(tx, {
        type: 'kms.key.created',
        accountId: instance.accountId,
        initiatorId,
        keyCrn: crnOf(key),
        keyVersionId: id,
      })
    })
    return { key, payload: extractable ? material.use(base64) : null }
  }

  async function list(asked: Asked, request: KeyListRequest): Promise<Listed<Key>> {
    const { grant } = await access.instance(asked, 'kms.secrets.list')
    const now = clock.now()
    const { sort, page, counting, states, extractable } = request
    const filter = { states, extractable }
    const items = await selectKeys(reads, grant, { filter, sort, page, now })
    return { items, totalCount: counting ? await countKeys(reads, grant, filter, now) : null }
  }

  async function count(asked: Asked, filter: KeyFilterRequest): Promise<number> {
    const { grant } = await access.instance(asked, 'kms.secrets.list')
    return await countKeys(reads, grant, filter, clock.now())
  }

  async function metadata(asked: Asked, id: string): Promise<ShownKey> {
    return { key: await read(await access.key(asked, 'kms.secrets.readmetadata', id)), payload: null }
  }

  /** With the material, where it is a standard key that has not been destroyed. */
  async function get(asked: Asked, id: string): Promise<ShownKey> {
    const grant = await access.key(asked, 'kms.secrets.read', id)
    const key = await read(grant)
    if (!key.extractable || !isAllowed('readPayload', key.state)) return { key, payload: null }
    const version = await selectVersion(reads, grant, key.newestVersion.id)
    // Its instance may have been deleted since the key was read, and everything in it with it.
    if (!version) throw keyNotFound(id)
    using material = openVersion(sealer, version)
    return { key, payload: material.use(base64) }
  }

  /** Key Protect API, "List key versions": 409 or 410 for a key that is not active, unless all states are asked for. */
  async function versions(
    asked: Asked,
    id: string,
    wanted: ListRequest & { readonly allKeyStates: boolean },
  ): Promise<Listed<KeyVersion>> {
    const grant = await access.key(asked, 'kms.secrets.listkeyversions', id)
    const key = await read(grant)
    if (!wanted.allKeyStates) requireState(key, 'listVersions')
    requireRootKey(key)
    const items = await selectVersions(reads, grant, wanted.page)
    return { items, totalCount: wanted.counting ? await countVersions(reads, grant) : null }
  }

  const read = (grant: Grant): Promise<Key> => readKey(reads, grant, clock.now())

  return { create, list, count, metadata, get, versions }
}

/** The grant's key as `reads` (or a transaction) sees it; Fault 'not_found' when there is none. */
export const readKey = async (reads: Reads, grant: Grant, now: number): Promise<Key> =>
  found(await selectKey(reads, grant, now), keyIdOf(grant))

const kindOf = (extractable: boolean): 'root' | 'standard' => (extractable ? 'standard' : 'root')
