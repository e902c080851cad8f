// Service credentials ("resource keys"): a service id of the instance with an API key, a role there, and for object storage
// perhaps an HMAC key. What they hold is kept sealed, because whoever administers the instance may look at it again. Source:
// Resource Controller API v2, "Resource keys"; IBM Cloud, "Service credentials".
//
// Making one takes several steps, none of which shows before the last: a crash in between leaves a service id whose keys
// nobody knows. Removing one begins with the service id, after which nothing of it works, and may be repeated.

import type { Clock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isUuid, makeUuid } from '#base/id.ts'
import { resourceKeysPerInstanceMax } from '#base/limits-cos.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { CosPort } from '#cos/port.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Context, CredentialsPort, Grant, IamPort, ServiceCredential } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { guidOf, instanceCrn, instanceTarget, noInstance } from './instance.ts'
import { keyCrn } from './key-views.ts'
import type { KeyPageRequest, NewKey, ShownKey } from './key-views.ts'
import { deleteKey, insertKey, resourceKeyPurpose, selectKey, selectKeys, updateKey } from './tables-keys.ts'
import type { KeyRow } from './tables-keys.ts'
import { selectInstance } from './tables.ts'
import type { InstanceRow } from './tables.ts'

export interface KeyPage {
  readonly keys: readonly ShownKey[]
  readonly next: { readonly createdAt: number; readonly guid: string } | null
}

export interface Keys {
  create(context: Context, wanted: NewKey): Promise<ShownKey>
  list(context: Context, request: KeyPageRequest): Promise<KeyPage>
  get(context: Context, id: string): Promise<ShownKey>
  rename(context: Context, id: string, name: string): Promise<ShownKey>
  remove(context: Context, id: string): Promise<void>
  /** Before the instance goes. Fault 'conflict' where there are some and nobody has said that they may go too. */
  removeAll(context: Context, instance: InstanceRow, isRecursive: boolean): Promise<void>
}

export function makeKeys(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly credentials: CredentialsPort
  readonly cos: CosPort
  readonly sealer: Sealer
  readonly cosUrl: () => string
}): Keys {
  const { database, outbox, clock, random, iam, credentials, cos, sealer } = parts

  async function instanceNamed({ caller }: Context, source: string): Promise<InstanceRow> {
    const guid = guidOf(source)
    const row = guid === null ? null : await selectInstance(database.reads, caller.accountId, guid)
    if (!row || (source !== row.guid && source !== instanceCrn(row))) throw noInstance()
    return row
  }

  async function find({ caller }: Context, id: string): Promise<{ row: KeyRow; instance: InstanceRow }> {
    const guid = isUuid(id) ? id : (parseCrn(id)?.resource ?? '')
    const row = await selectKey(database.reads, caller.accountId, guid)
    const instance = row && (await selectInstance(database.reads, row.account_id, row.instance_guid))
    if (!row || !instance) throw noKey()
    return { row, instance }
  }

  /** IBM Cloud, "Viewing a credential": for whoever may see all of it, and could give what it gives. */
  async function shown({ caller }: Context, row: KeyRow, instance: InstanceRow): Promise<ShownKey> {
    const action = 'resource-controller.credential.retrieve_all'
    const { permitted } = await iam.decide(caller, action, instanceTarget(instance))
    if (!permitted || !(await credentials.mayHold(caller, row.iam_id))) return { row, instance, credentials: null }
    const opened = sealer.open(resourceKeyPurpose(row.guid), row.sealed_credentials)
    try {
      return { row, instance, credentials: JSON.parse(Buffer.from(opened).toString()) }
    } finally {
      opened.fill(0)
    }
  }

  async function withHmac(instance: InstanceRow, { iamId }: ServiceCredential, hasHmac: boolean) {
    if (!hasHmac) return null
    return await cos.createHmacKey({ accountId: instance.account_id, instanceId: instance.guid, iamId })
  }

  async function insert(grant: Grant, instance: InstanceRow, row: KeyRow): Promise<void> {
    await database.transaction(async (tx) => {
      const now = await selectInstance(tx, instance.account_id, instance.guid)
      if (now?.state !== 'active') throw new Fault('conflict', 'service instance is not active any more')
      const page = { filter: { instanceGuid: instance.guid }, after: null, limit: resourceKeysPerInstanceMax }
      if ((await selectKeys(tx, instance.account_id, page)).length >= resourceKeysPerInstanceMax) {
        throw new Fault(
          'unprocessable',
          `the instance has ${resourceKeysPerInstanceMax} credentials, which is the quota`,
        )
      }
      await insertKey(tx, grant, row)
      const about = { accountId: row.account_id, initiatorId: row.created_by, keyCrn: keyCrn(row, instance) }
      await outbox.append(tx, { ...about, type: 'resources.key.created' })
    })
  }

  async function removeRow(context: Context, row: KeyRow, instance: InstanceRow): Promise<void> {
    const action = 'resource-controller.credential.delete'
    const grant = await iam.authorize(context.caller, action, instanceTarget(instance))
    await credentials.remove(context, { iamId: row.iam_id, policyId: row.policy_id })
    if (row.access_key_id !== null) await cos.deleteHmacKey(row.account_id, row.access_key_id)
    await database.transaction(async (tx) => {
      if (!(await deleteKey(tx, grant, row.guid))) return
      const about = { accountId: row.account_id, initiatorId: context.caller.iamId, keyCrn: keyCrn(row, instance) }
      await outbox.append(tx, { ...about, type: 'resources.key.deleted' })
    })
  }

  return {
    async create(context, { name, source, hasHmac, roleOf }) {
      const { caller } = context
      const instance = await instanceNamed(context, source)
      const target = instanceTarget(instance)
      const grant = await iam.authorize(caller, 'resource-controller.credential.create', target)
      if (instance.state !== 'active') throw new Fault('unprocessable', `service instance is ${instance.state}`)
      if (hasHmac && instance.service_name !== 'cloud-object-storage') {
        throw new Fault('invalid', 'only credentials of object storage have HMAC keys: parameters.HMAC')
      }
      const roleCrn = roleOf(instance.service_name)
      const guid = makeUuid(random)
      const description = `Auto-generated for key ${keyCrn({ guid }, instance)}`
      const made = await credentials.create(context, { name, description, target, roleCrn })
      let accessKeyId: string | null = null
      try {
        const hmac = await withHmac(instance, made, hasHmac)
        accessKeyId = hmac?.accessKeyId ?? null
        const isStorage = instance.service_name === 'cloud-object-storage'
        const content = {
          apikey: made.apiKey,
          ...(hmac && {
            cos_hmac_keys: { access_key_id: hmac.accessKeyId, secret_access_key: hmac.secretAccessKey },
          }),
          ...(isStorage && { endpoints: parts.cosUrl() }),
          iam_apikey_description: description,
          iam_apikey_id: made.apiKeyId,
          iam_apikey_name: made.apiKeyName,
          ...(roleCrn !== null && { iam_role_crn: roleCrn }),
          iam_serviceid_crn: made.serviceIdCrn,
          resource_instance_id: `${instanceCrn(instance)}`,
        }
        const at = clock.now()
        const by = caller.iamId
        const row: KeyRow = {
          guid,
          account_id: instance.account_id,
          instance_guid: instance.guid,
          name,
          role_crn: roleCrn ?? '',
          iam_id: made.iamId,
          policy_id: made.policyId,
          access_key_id: accessKeyId,
          sealed_credentials: sealer.seal(resourceKeyPurpose(guid), Buffer.from(JSON.stringify(content))),
          created_at: at,
          created_by: by,
          updated_at: at,
          updated_by: by,
        }
        await insert(grant, instance, row)
        return { row, instance, credentials: content }
      } catch (error) {
        await credentials.remove(context, made).catch(() => {})
        if (accessKeyId !== null) await cos.deleteHmacKey(instance.account_id, accessKeyId)
        throw error
      }
    },

    async list(context, { filter, after, limit, instance: named }) {
      const only = named === undefined ? null : await instanceNamed(context, named)
      const { accountId } = context.caller
      const seen: ShownKey[] = []
      const instances = new Map<string, InstanceRow | null>()
      let from = after
      for (;;) {
        const page = { filter: { ...filter, ...(only && { instanceGuid: only.guid }) }, after: from, limit: limit + 1 }
        const rows = await selectKeys(database.reads, accountId, page)
        for (const row of rows) {
          if (seen.length === limit) return { keys: seen, next: from }
          from = { createdAt: row.created_at, guid: row.guid }
          const guid = row.instance_guid
          const known = instances.get(guid) ?? (await selectInstance(database.reads, accountId, guid))
          instances.set(guid, known)
          const action = 'resource-controller.credential.retrieve'
          if (known && (await iam.decide(context.caller, action, instanceTarget(known))).permitted) {
            seen.push(await shown(context, row, known))
          }
        }
        if (rows.length <= limit) return { keys: seen, next: null }
      }
    },

    async get(context, id) {
      const { row, instance } = await find(context, id)
      const action = 'resource-controller.credential.retrieve'
      await iam.authorize(context.caller, action, instanceTarget(instance))
      return await shown(context, row, instance)
    },

    async rename(context, id, name) {
      const { row, instance } = await find(context, id)
      const { caller } = context
      const grant = await iam.authorize(caller, 'resource-controller.credential.update', instanceTarget(instance))
      const set = { name, updated_at: clock.now(), updated_by: caller.iamId }
      await database.transaction(async (tx) => {
        if (!(await updateKey(tx, grant, row.guid, set))) throw noKey()
        const about = { accountId: row.account_id, initiatorId: caller.iamId, keyCrn: keyCrn(row, instance) }
        await outbox.append(tx, { ...about, type: 'resources.key.updated' })
      })
      return await shown(context, { ...row, ...set }, instance)
    },

    async remove(context, id) {
      const { row, instance } = await find(context, id)
      await removeRow(context, row, instance)
    },

    async removeAll(context, instance, isRecursive) {
      const page = { filter: { instanceGuid: instance.guid }, after: null, limit: resourceKeysPerInstanceMax }
      const rows = await selectKeys(database.reads, instance.account_id, page)
      if (rows.length > 0 && !isRecursive) {
        throw new Fault(
          'conflict',
          `service instance has ${rows.length} credentials: delete them, or say recursive=true`,
        )
      }
      for (const row of rows) await removeRow(context, row, instance)
    },
  }
}

/** One sentence for what is not there and for what is another account's. */
const noKey = (): Fault => new Fault('not_found', 'service credential does not exist in this account')
