// Other names of a key, unique in its instance. Source: Key Protect, "Creating key aliases".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { aliasesPerInstanceMax, aliasesPerKeyMax, aliasLength } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { invalidField } from './base64.ts'
import { crnOf, requireState } from './key.ts'
import type { Key } from './key.ts'
import { readKey } from './keys.ts'
import { deleteAlias, insertAlias, selectAliases, selectAliasUse } from './tables-ring.ts'
import type { AliasRow } from './tables-ring.ts'

export type Aliases = ReturnType<typeof makeAliases>

export function makeAliases(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
}) {
  const { database, outbox, clock, access } = parts

  async function create(asked: Asked, id: string, text: string): Promise<AliasRow> {
    const alias = requireAlias(text, 'alias')
    const grant = await access.key(asked, 'kms.secrets.createalias', id)
    return await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'change')
      const row = { alias, keyId: key.id, createdAt: now, createdBy: asked.caller.iamId }
      await giveAlias(tx, grant, key, row)
      await outbox.append(tx, { type: 'kms.alias.created', ...told(asked, key), alias })
      return row
    })
  }

  async function remove(asked: Asked, id: string, alias: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.deletealias', id)
    await database.transaction(async (tx) => {
      const key = await readKey(tx, grant, clock.now())
      requireState(key, 'change')
      if (!(await deleteAlias(tx, grant, alias))) throw aliasNotFound(alias)
      await outbox.append(tx, { type: 'kms.alias.deleted', ...told(asked, key), alias })
    })
  }

  return { create, remove }
}

/** Inside the transaction that gives it: of two who want it at once, one gets it. */
export async function giveAlias(tx: Tx, grant: Grant, key: Key, row: AliasRow): Promise<void> {
  const own = (await selectAliases(tx, [key.id])).get(key.id) ?? []
  const { total, keyId } = await selectAliasUse(tx, key.instance.id, row.alias)
  if (keyId !== null) throw taken(row.alias)
  if (own.length >= aliasesPerKeyMax) throw tooMany(`key ${key.id} has ${aliasesPerKeyMax} aliases`)
  if (total >= aliasesPerInstanceMax) throw tooMany(`the instance has ${aliasesPerInstanceMax} aliases`)
  await insertAlias(tx, grant, row)
}

/** A text that can be an alias: not an id, and no word that has a meaning in the paths of the API. */
export function requireAlias(text: string, field: string): string {
  const { min, max } = aliasLength
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length < min || text.length > max) {
    throw invalidField(field, `an alias has ${min} to ${max} letters, digits, _ and -`)
  }
  if (isUuid(text.toLowerCase())) throw invalidField(field, 'an alias is not a UUID')
  if (reserved.has(text)) throw invalidField(field, `${text} is a word of the API and no alias`)
  return text
}

const reserved: ReadonlySet<string> = new Set([
  'allowed_ip',
  'key',
  'keys',
  'metadata',
  'policies',
  'policy',
  'registration',
  'registrations',
  'rewrap',
  'ring',
  'rings',
  'rotate',
  'unwrap',
  'version',
  'versions',
  'wrap',
])

const told = (asked: Asked, key: Key) => ({
  accountId: key.instance.accountId,
  initiatorId: asked.caller.iamId,
  keyCrn: crnOf(key),
})

const taken = (alias: string): Fault =>
  new Fault('conflict', `alias ${alias} is given to a key already`, { reason: 'KEY_ALIAS_ALREADY_EXISTS_ERR' })

const tooMany = (message: string): Fault => new Fault('conflict', message, { reason: 'KEY_ALIAS_QUOTA_ERR' })

const aliasNotFound = (alias: string): Fault =>
  new Fault('not_found', `the key has no alias ${JSON.stringify(alias.slice(0, 90))}`, {
    reason: 'KEY_ALIAS_NOT_FOUND_ERR',
  })
