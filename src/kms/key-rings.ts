// Rings: how the keys of an instance are grouped, so that access is given to a group. Source: Key Protect, "Grouping keys
// together using key rings".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { keyRingIdLength, keyRingsMax } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { invalidField } from './base64.ts'
import { defaultKeyRing } from './key.ts'
import type { Listed } from './keys.ts'
import type { ListRequest } from './list-request.ts'
import {
  countKeyRings,
  countKeysInRing,
  deleteKeyRing,
  hasKeyRing,
  insertKeyRing,
  moveDestroyedKeys,
  selectKeyRings,
} from './tables-ring.ts'

/** The default ring was never made by anybody. */
export interface ShownKeyRing {
  readonly id: string
  readonly made: { readonly at: number; readonly by: string } | null
}

export type KeyRings = ReturnType<typeof makeKeyRings>

export function makeKeyRings(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
}) {
  const { database, outbox, clock, access } = parts

  /** Those that the caller may look into; the default one first. There are few of them, so they are counted here. */
  async function list(asked: Asked, { page, counting }: ListRequest): Promise<Listed<ShownKeyRing>> {
    const grants = await access.list(asked, 'kms.keyrings.list')
    const rows = await selectKeyRings(database.reads, grants, { limit: keyRingsMax, offset: 0 })
    const seesDefault = grants.some(({ target }) => (target.keyRing ?? defaultKeyRing) === defaultKeyRing)
    const rings: ShownKeyRing[] = [
      ...(seesDefault ? [{ id: defaultKeyRing, made: null }] : []),
      ...rows.map(({ id, createdAt, createdBy }) => ({ id, made: { at: createdAt, by: createdBy } })),
    ]
    const items = rings.slice(page.offset, page.offset + page.limit)
    return { items, totalCount: counting ? rings.length : null }
  }

  async function create(asked: Asked, text: string): Promise<void> {
    const id = requireRingId(text)
    const { grant, instance } = await access.ring(asked, 'kms.keyrings.create', id)
    await database.transaction(async (tx) => {
      if (await hasKeyRing(tx, instance.id, id)) throw ringExists(id)
      if ((await countKeyRings(tx, instance.id)) >= keyRingsMax) throw tooManyRings()
      await insertKeyRing(tx, grant, { id, createdAt: clock.now(), createdBy: asked.caller.iamId })
      await outbox.append(tx, { type: 'kms.key-ring.created', ...told(asked, instance), keyRingId: id })
    })
  }

  /** With `force`, destroyed keys in it move to the default ring, which takes leave to move keys. */
  async function remove(asked: Asked, id: string, force: boolean): Promise<void> {
    const { grant, instance } = await access.ring(asked, 'kms.keyrings.delete', id)
    const moving = force ? (await access.ring(asked, 'kms.secrets.patch', id)).grant : null
    if (id === defaultKeyRing) throw ringStays(id, 'it is the default one')
    await database.transaction(async (tx) => {
      if (!(await hasKeyRing(tx, instance.id, id))) throw ringNotFound(id)
      const { all, living } = await countKeysInRing(tx, grant, id)
      if (living > 0) throw ringStays(id, `${living} of its keys are not deleted`)
      if (all > 0 && !moving) throw ringStays(id, `${all} deleted keys lie in it, and force moves those`)
      if (moving) await moveDestroyedKeys(tx, moving, id)
      await deleteKeyRing(tx, grant, id)
      await outbox.append(tx, { type: 'kms.key-ring.deleted', ...told(asked, instance), keyRingId: id })
    })
  }

  return { list, create, remove }
}

/** Inside the transaction that puts a key there. */
export async function requireKeyRing(reads: Reads, instanceId: string, id: string): Promise<void> {
  if (!(await hasKeyRing(reads, instanceId, id))) throw ringNotFound(id)
}

function requireRingId(text: string): string {
  const { min, max } = keyRingIdLength
  if (/^[A-Za-z0-9-]+$/.test(text) && text.length >= min && text.length <= max) return text
  throw invalidField('key-ring-id', `the id of a key ring has ${min} to ${max} letters, digits and -`)
}

const told = (asked: Asked, instance: { readonly id: string; readonly accountId: string }) => ({
  accountId: instance.accountId,
  initiatorId: asked.caller.iamId,
  instanceId: instance.id,
})

const ringNotFound = (id: string): Fault =>
  new Fault('not_found', `key ring ${JSON.stringify(id.slice(0, 100))} does not exist`, {
    reason: 'KEY_RING_NOT_FOUND_ERR',
  })

const ringExists = (id: string): Fault =>
  new Fault('conflict', `key ring ${id} exists already`, { reason: 'KEY_RING_ALREADY_EXISTS_ERR' })

const ringStays = (id: string, why: string): Fault =>
  new Fault('conflict', `key ring ${id} cannot be deleted: ${why}`, { reason: 'KEY_RING_NOT_EMPTY_ERR' })

const tooManyRings = (): Fault =>
  new Fault('conflict', `the instance has ${keyRingsMax} key rings`, { reason: 'KEY_RING_QUOTA_ERR' })
