// Keys as things: made, found, listed, moved. What is done with them is key-use.ts; what becomes of them is
// key-lifecycle.ts and its neighbours.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { keySearchSpaceMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant } from '#iam/port.ts'
import type { Database, Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { found, noSuchInstance } from './access.ts'
import { giveAlias } from './aliases.ts'
import { base64 } from './base64.ts'
import { createdFacts, crnOf, defaultKeyRing, keyNotFound, requireRootKey, requireState } from './key.ts'
import type { Instance, Key, KeyVersion } from './key.ts'
import { openVersion, sealVersion } from './key-material.ts'
import { dueFrom, firstPolicies, requireRotates } from './key-policies.ts'
import type { NewKey } from './key-request.ts'
import { requireKeyRing } from './key-rings.ts'
import { isFound } from './key-search.ts'
import type { Search } from './key-search.ts'
import { isAllowed } from './key-state.ts'
import type { KeyCountRequest, KeyListRequest, ListRequest } from './list-request.ts'
import { kindOfMaterial, newMaterial, requireCreationAccess } from './new-material.ts'
import { givenPolicies } from './policy.ts'
import { insertKey, selectKey, setKeyRing } from './tables-key.ts'
import { countKeys, selectKeys, selectNamed, selectSearchSpace } from './tables-key-list.ts'
import type { ListGrants, Wanted } from './tables-key-list.ts'
import { selectAliases } from './tables-ring.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectPlace } from './tables-service.ts'
import { countVersions, insertFirstVersion, selectVersion, selectVersions } from './tables-version.ts'

/** A key with its aliases, and with its material in base64, which only a standard key shows. */
export interface ShownKey {
  readonly key: Key
  readonly aliases: readonly string[]
  readonly payload: string | null
}

export interface Listed<Item> {
  readonly items: readonly Item[]
  /** How many there are beyond the page, where the caller asked. */
  readonly totalCount: number | null
}

export interface ListedKeys extends Listed<Key> {
  readonly aliases: ReadonlyMap<string, readonly string[]>
  /** What was searched for; incomplete where there was too much to look through and a name was found at once. */
  readonly search: (Search & { readonly incomplete: boolean }) | null
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

  const create = (asked: Asked, request: NewKey): Promise<ShownKey> => make(asked, request, 'kms.secrets.create')

  /** Key Protect, "Creating keys with policy overrides": by leave of its own. */
  const createWithOverrides = (asked: Asked, request: NewKey): Promise<ShownKey> =>
    make(asked, request, 'kms.secrets-with-policy-overrides.create')

  async function make(
    asked: Asked,
    request: NewKey,
    action: 'kms.secrets.create' | 'kms.secrets-with-policy-overrides.create',
  ): Promise<ShownKey> {
    const { grant, instance } = await access.ring(asked, action, asked.keyRing ?? defaultKeyRing)
    const { extractable, imported, aliases } = request
    requireCreationAccess(instance.policies, { extractable, material: kindOfMaterial(imported) })
    using material = await newMaterial(parts, reads, grant, { extractable, imported })
    const { policies: _, ...place } = instance
    const key = newKeyOf(asked, place, request, givenPolicies(instance.policies, { extractable, imported: !!imported }))
    // Key Protect, samples: the id of the first version is the key's.
    const first = sealVersion(sealer, { keyId: key.id, id: key.id, ordinal: 1, createdAt: key.createdAt }, material)
    const { createdAt, createdBy } = key
    const facts = { accountId: instance.accountId, initiatorId: createdBy, keyCrn: crnOf(key) }
    await database.transaction(async (tx) => {
      // It may have been deleted since the grant.
      if (!(await selectPlace(tx, instance.id, null))) throw noSuchInstance()
      await requireKeyRing(tx, instance.id, key.keyRing)
      await insertKey(tx, grant, key)
      await insertFirstVersion(tx, grant, first)
      await outbox.append(tx, { type: 'kms.key.created', ...facts, ...createdFacts(key) })
      for (const alias of aliases) {
        await giveAlias(tx, grant, key, { alias, keyId: key.id, createdAt, createdBy })
        await outbox.append(tx, { type: 'kms.alias.created', ...facts, alias })
      }
    })
    return { key, aliases, payload: extractable ? material.use(base64) : null }
  }

  function newKeyOf(asked: Asked, instance: Instance, request: NewKey, given: NewKey['policies']): Key {
    const { name, description, tags, extractable, imported, expiresAt } = request
    const id = makeUuid(random)
    const now = clock.now()
    const createdBy = asked.caller.iamId
    if (request.policies.rotation) requireRotates({ id, extractable, imported: imported !== null })
    const wanted = {
      rotation: request.policies.rotation ?? given.rotation,
      dualAuthDelete: request.policies.dualAuthDelete ?? given.dualAuthDelete,
    }
    const policies = firstPolicies(wanted, createdBy, now, random)
    return {
      id,
      instance,
      keyRing: asked.keyRing ?? defaultKeyRing,
      name,
      description,
      tags,
      extractable,
      imported: imported !== null,
      state: 'active',
      createdAt: now,
      createdBy,
      updatedAt: now,
      rotatedAt: null,
      expiresAt,
      deleted: null,
      stateChangedAt: now,
      syncedAt: null,
      policies,
      rotationDueAt: dueFrom(policies, now),
      deletionSet: null,
      quarantine: null,
      newestVersion: { id, createdAt: now },
    }
  }

  async function list(asked: Asked, request: KeyListRequest): Promise<ListedKeys> {
    const grants = await access.list(asked, 'kms.secrets.list')
    const { search, ...wanted } = await look(grants, request)
    const { sort, page, counting } = request
    const items = await selectKeys(reads, grants, { ...wanted, sort, page })
    const ids = items.map((key) => key.id)
    return {
      items,
      totalCount: counting ? await countKeys(reads, grants, wanted) : null,
      aliases: await selectAliases(reads, ids),
      search,
    }
  }

  async function count(asked: Asked, request: KeyCountRequest): Promise<number> {
    const grants = await access.list(asked, 'kms.secrets.list')
    return await countKeys(reads, grants, await look(grants, request))
  }

  /** What a request is about, after anything that it searches for has been searched for. */
  async function look(grants: ListGrants, request: KeyCountRequest): Promise<Wanted & Pick<ListedKeys, 'search'>> {
    const { filter, search } = request
    const now = clock.now()
    if (!search) return { filter, ids: null, now, search: null }
    const space = await selectSearchSpace(reads, grants, { filter, now }, keySearchSpaceMax + 1)
    if (space.length <= keySearchSpaceMax) {
      const ids = space.filter((key) => isFound(search, key)).map((key) => key.id)
      return { filter, ids, now, search: { ...search, incomplete: false } }
    }
    const named = search.not ? null : await selectNamed(reads, grants, { filter, now }, search.text)
    if (named === null) throw tooBroad()
    return { filter, ids: [named], now, search: { ...search, incomplete: true } }
  }

  async function metadata(asked: Asked, id: string): Promise<ShownKey> {
    return await withAliases(await read(await access.key(asked, 'kms.secrets.readmetadata', id)), null)
  }

  /** With the material, where it is a standard key that has not been destroyed. */
  async function get(asked: Asked, id: string): Promise<ShownKey> {
    const grant = await access.key(asked, 'kms.secrets.read', id)
    const key = await read(grant)
    return await withAliases(key, await readPayload(reads, sealer, grant, key))
  }

  async function withAliases(key: Key, payload: string | null): Promise<ShownKey> {
    return { key, aliases: await aliasesOf(reads, key), payload }
  }

  /** Key Protect API, "Update a key": its ring alone, by leave to change keys in both rings. */
  async function move(asked: Asked, id: string, keyRing: string): Promise<ShownKey> {
    const grant = await access.key(asked, 'kms.secrets.patch', id)
    await access.ring(asked, 'kms.secrets.patch', keyRing)
    return await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'change')
      await requireKeyRing(tx, key.instance.id, keyRing)
      await setKeyRing(tx, grant, keyRing, now)
      await outbox.append(tx, {
        type: 'kms.key.moved',
        accountId: key.instance.accountId,
        initiatorId: asked.caller.iamId,
        keyCrn: crnOf(key),
        keyRingId: keyRing,
        previousKeyRingId: key.keyRing,
      })
      return { key: { ...key, keyRing, updatedAt: now }, aliases: await aliasesOf(tx, key), payload: null }
    })
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

  return { create, createWithOverrides, list, count, metadata, get, move, versions }
}

/** The grant's key as `reads` (or a transaction) sees it; Fault 'not_found' when there is none. */
export const readKey = async (reads: Reads, grant: Grant, now: number): Promise<Key> =>
  found(await selectKey(reads, grant, now), keyIdOf(grant))

export const aliasesOf = async (reads: Reads, key: Key): Promise<readonly string[]> =>
  (await selectAliases(reads, [key.id])).get(key.id) ?? []

/** The material of a standard key that has not been destroyed, in base64; null for every other key. */
export async function readPayload(reads: Reads, sealer: Sealer, grant: Grant, key: Key): Promise<string | null> {
  if (!key.extractable || !isAllowed('readPayload', key.state)) return null
  const version = await selectVersion(reads, grant, key.newestVersion.id)
  // Its instance may have been deleted since the key was read, and everything in it with it.
  if (!version) throw keyNotFound(key.id)
  using material = openVersion(sealer, version)
  return material.use(base64)
}

const tooBroad = (): Fault =>
  new Fault('invalid', `a search looks through at most ${keySearchSpaceMax} keys: narrow them by state, kind or ring`, {
    reason: 'KEY_SEARCH_TOO_BROAD',
    target: { type: 'parameter', name: 'search' },
  })
