// SSH keys, as requests reach them. Source: VPC API, "Keys": content is unique in a region, and only the name changes.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { collections, insertNamed, leaveToMake, listRecords, readOne, removeOne, renameOne } from './collections.ts'
import { groupNames, groupReference } from './groups.ts'
import { makeRegionalId, vpcCrn } from './ids.ts'
import { checkName } from './names.ts'
import type { keyPatch, keyPrototype } from './network-schemas.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import type { Recorded } from './record.ts'
import { parseSshKey } from './ssh-key.ts'
import { recordsOfAccount } from './tables-records.ts'

type SshKey = Recorded<'key'>

export const keyHref = (base: string, id: string): string => `${base}/v1/keys/${id}`

export const keyReference = (base: string, { crn, id, name, facts }: SshKey) => ({
  crn,
  fingerprint: facts.fingerprint,
  href: keyHref(base, id),
  id,
  name,
})

export type SshKeys = ReturnType<typeof makeSshKeys>

export function makeSshKeys(parts: VpcParts) {
  const { database, region } = parts
  const { key: collection } = collections
  const { nameTakenCode } = collection

  async function views(context: Context, keys: readonly SshKey[]) {
    const names = await groupNames(parts.resources, keys)
    return keys.map((key) => ({
      ...keyReference(context.baseUrl, key),
      created_at: rfc3339(key.createdAt),
      length: key.facts.length,
      public_key: key.facts.publicKey,
      resource_group: groupReference(context.baseUrl, key.resourceGroupId, names),
      type: key.facts.type,
    }))
  }

  async function view(context: Context, key: SshKey) {
    const [shown] = await views(context, [key])
    if (!shown) throw new Error('one key has one view')
    return shown
  }

  return {
    async create(context: Context, body: Static<typeof keyPrototype>) {
      const { accountId } = context.caller
      const facts = parseSshKey(body.public_key)
      if (body.type !== undefined && body.type !== facts.type) throw otherType(body.type, facts.type)
      const name = body.name === undefined ? null : checkName(body.name)
      const { grant, resourceGroupId } = await leaveToMake(parts, context, collection, body.resource_group?.id)
      const id = makeRegionalId(parts.random, region)
      const key = {
        id,
        kind: 'key',
        accountId,
        region,
        parentId: '',
        nameScope: `${accountId}/${region}`,
        crn: vpcCrn('key', { accountId, location: region }, id),
        resourceGroupId,
        facts,
        createdAt: parts.clock.now(),
      } as const
      const given = await database.transaction(async (tx) => {
        const others = await recordsOfAccount(tx, 'key', { accountId, region })
        checkQuota(parts, 'keys', others.length)
        if (others.some((other) => other.facts.fingerprint === facts.fingerprint)) throw contentTaken()
        return await insertNamed(parts, tx, context, grant, { ...key, name, nameTakenCode })
      })
      return await view(context, { ...key, name: given })
    },

    async list(context: Context, query: PageRequest & Readonly<Record<string, unknown>>) {
      const { items, links } = await listRecords(parts, context, collection, query)
      return { ...links, keys: await views(context, items) }
    },

    async get(context: Context, id: string) {
      return await view(context, (await readOne(parts, context, collection, 'read', id)).found)
    },

    async update(context: Context, id: string, body: Static<typeof keyPatch>) {
      return await view(context, await renameOne(parts, context, collection, id, body))
    },

    async remove(context: Context, id: string): Promise<void> {
      const { grant, found } = await readOne(parts, context, collection, 'delete', id)
      await database.transaction((tx) => removeOne(parts, tx, context, grant, found))
    },
  }
}

const otherType = (said: string, is: string): Fault =>
  new Fault('invalid', `type is ${said}, but public_key is of type ${is}`, {
    reason: 'key_invalid_type',
    target: { type: 'field', name: 'type' },
  })

const contentTaken = (): Fault =>
  new Fault('invalid', 'the account has this public_key in this region already', {
    reason: 'key_content_exists',
    target: { type: 'field', name: 'public_key' },
  })
