// Security groups and their rules, as requests reach them. Source: VPC API, "Security groups".

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import {
  collections,
  insertNamed,
  leaveToMake,
  listRecords,
  readOne,
  recordNotFound,
  referred,
  removeOne,
  rename,
  renameOne,
} from './collections.ts'
import { groupNames, groupReference } from './groups.ts'
import { idOf } from './identity.ts'
import { makeRegionalId, vpcCrn } from './ids.ts'
import { checkName } from './names.ts'
import { nicReference, ruleView, securityGroupReference, vpcReference } from './network-reply.ts'
import type {
  rulePatch,
  rulePrototype,
  securityGroupPatch,
  securityGroupPrototype,
  securityGroupQuery,
} from './network-schemas.ts'
import { networksAsked } from './networks-asked.ts'
import { interfaceEnds } from './interface-ends.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import type { Recorded, RuleFacts } from './record.ts'
import { draftRule, parseRule } from './security-group-rules.ts'
import {
  childrenOf,
  countRecords,
  deleteChildren,
  parentsOf,
  recordsOfAccount,
  referredRecords,
  updateRecord,
} from './tables-records.ts'

type Group = Recorded<'security-group'>

export type SecurityGroups = ReturnType<typeof makeSecurityGroups>

export function makeSecurityGroups(parts: VpcParts) {
  const { database, random, region } = parts
  const { reads } = database
  const { securityGroup: collection, vpc } = collections
  const { nameTakenCode } = collection

  async function views(context: Context, groups: readonly Group[]) {
    const { baseUrl, caller } = context
    const { accountId } = caller
    const ids = groups.map(({ id }) => id)
    const networks = await parentsOf(reads, 'vpc', accountId, groups)
    const rules = await childrenOf(reads, 'security-group-rule', accountId, ids)
    const remotes = await remotesOf(accountId, rules)
    const members = await membersOf(accountId)
    const ends = await interfaceEnds(reads, accountId, members)
    const names = await groupNames(parts.resources, groups)
    return groups.map((group) => {
      const network = networks.get(group.parentId)
      return {
        ...securityGroupReference(baseUrl, group),
        created_at: rfc3339(group.createdAt),
        resource_group: groupReference(baseUrl, group.resourceGroupId, names),
        rules: rules.filter(({ parentId }) => parentId === group.id).map((rule) => ruleView(baseUrl, rule, remotes)),
        targets: members
          .filter(({ facts }) => facts.groupIds.includes(group.id))
          .flatMap((nic) => {
            const end = ends.get(nic.id)
            return end ? [nicReference(baseUrl, nic, end)] : []
          }),
        vpc: network
          ? vpcReference(baseUrl, network)
          : { crn: '', href: '', id: group.parentId, name: '', resource_type: 'vpc' as const },
      }
    })
  }

  const membersOf = (accountId: string) => recordsOfAccount(reads, 'network-interface', { accountId, region })

  const remotesOf = (accountId: string, rules: readonly Recorded<'security-group-rule'>[]) =>
    referredRecords(
      reads,
      'security-group',
      accountId,
      rules.flatMap(({ facts }) => ('groupId' in facts.remote ? [facts.remote.groupId] : [])),
    )

  async function view(context: Context, group: Group) {
    const [shown] = await views(context, [group])
    if (!shown) throw new Error('one security group has one view')
    return shown
  }

  /** The body's rule; a group that it points at must be one of the account's. */
  async function ruleOf(context: Context, body: Static<typeof rulePrototype>, field: string): Promise<RuleFacts> {
    const { remote } = body
    const isGroup = remote && (remote.id ?? remote.crn ?? remote.href ?? remote.name) !== undefined
    if (!isGroup) return parseRule(body, null)
    if (remote.name !== undefined) throw byName(field)
    const group = await referred(parts, context, collection, idOf(remote, field), field)
    return parseRule(body, group.id)
  }

  async function addRules(
    tx: Tx,
    context: Context,
    grant: Grant,
    group: Omit<Group, 'name'>,
    rules: readonly { readonly facts: RuleFacts; readonly name: string | null }[],
  ) {
    const count = await countRecords(tx, 'security-group-rule', grant, { parentId: group.id })
    checkQuota(parts, 'rules_per_security_group', count, rules.length)
    const { accountId } = group
    const drafts = rules.map(({ facts, name }) =>
      draftRule({ accountId, region, groupId: group.id, createdAt: parts.clock.now(), random }, facts, name),
    )
    for (const draft of drafts) await insertNamed(parts, tx, context, grant, { ...draft, nameTakenCode })
    return drafts
  }

  const nameIn = (body: { readonly name?: string | undefined }) =>
    body.name === undefined ? null : checkName(body.name)

  async function readRule(context: Context, verb: 'read' | 'update', groupId: string, id: string) {
    const { grant, found } = await readOne(parts, context, collection, verb, groupId)
    const rules = await childrenOf(reads, 'security-group-rule', found.accountId, [groupId])
    const rule = rules.find((one) => one.id === id)
    if (!rule) throw recordNotFound('security group rule', id)
    return { grant, rule }
  }

  const showRule = async (context: Context, rule: Recorded<'security-group-rule'>) =>
    ruleView(context.baseUrl, rule, await remotesOf(rule.accountId, [rule]))

  return {
    async create(context: Context, body: Static<typeof securityGroupPrototype>) {
      const name = nameIn(body)
      const network = await referred(parts, context, vpc, idOf(body.vpc, 'vpc'), 'vpc')
      const { grant, resourceGroupId } = await leaveToMake(parts, context, collection, body.resource_group?.id)
      const rules: { facts: RuleFacts; name: string | null }[] = []
      for (const [i, rule] of (body.rules ?? []).entries()) {
        rules.push({ facts: await ruleOf(context, rule, `rules.${i}.remote`), name: nameIn(rule) })
      }
      const { accountId } = network
      const id = makeRegionalId(random, region)
      const group = {
        id,
        kind: 'security-group',
        accountId,
        region,
        parentId: network.id,
        nameScope: network.id,
        crn: vpcCrn('security-group', { accountId, location: region }, id),
        resourceGroupId,
        facts: {},
        createdAt: parts.clock.now(),
      } as const
      const given = await database.transaction(async (tx) => {
        const count = await countRecords(tx, 'security-group', grant, { parentId: network.id })
        checkQuota(parts, 'security_groups_per_vpc', count)
        const inserted = await insertNamed(parts, tx, context, grant, { ...group, name, nameTakenCode })
        await addRules(tx, context, grant, group, rules)
        return inserted
      })
      return await view(context, { ...group, name: given })
    },

    async list(context: Context, query: Static<typeof securityGroupQuery>) {
      const { items, links } = await listRecords(parts, context, collection, query, {
        resourceGroupId: query['resource_group.id'],
        parentIds: await networksAsked(reads, { accountId: context.caller.accountId, region }, query),
      })
      return { ...links, security_groups: await views(context, items) }
    },

    async get(context: Context, id: string) {
      return await view(context, (await readOne(parts, context, collection, 'read', id)).found)
    },

    async ofVpc(context: Context, vpcId: string) {
      const { found } = await readOne(parts, context, vpc, 'read', vpcId)
      return await view(context, (await readOne(parts, context, collection, 'read', found.facts.defaultGroupId)).found)
    },

    async update(context: Context, id: string, body: Static<typeof securityGroupPatch>) {
      return await view(context, await renameOne(parts, context, collection, id, body))
    },

    async remove(context: Context, id: string): Promise<void> {
      const { grant, found } = await readOne(parts, context, collection, 'delete', id)
      const networks = await referredRecords(reads, 'vpc', found.accountId, [found.parentId])
      if (networks.get(found.parentId)?.facts.defaultGroupId === id) throw isDefault(found)
      await database.transaction(async (tx) => {
        const members = await recordsOfAccount(tx, 'network-interface', { accountId: found.accountId, region })
        if (members.some(({ facts }) => facts.groupIds.includes(id))) throw inUse(found)
        await deleteChildren(tx, grant, id)
        await removeOne(parts, tx, context, grant, found)
      })
    },

    async listRules(context: Context, groupId: string) {
      return { rules: (await this.get(context, groupId)).rules }
    },

    async createRule(context: Context, groupId: string, body: Static<typeof rulePrototype>) {
      const { grant, found } = await readOne(parts, context, collection, 'update', groupId)
      const rule = { facts: await ruleOf(context, body, 'remote'), name: nameIn(body) }
      const [made] = await database.transaction((tx) => addRules(tx, context, grant, found, [rule]))
      if (!made) throw new Error('one rule was added')
      return await showRule(context, made)
    },

    async getRule(context: Context, groupId: string, id: string) {
      return await showRule(context, (await readRule(context, 'read', groupId, id)).rule)
    },

    async updateRule(context: Context, groupId: string, id: string, body: Static<typeof rulePatch>) {
      const { grant, rule } = await readRule(context, 'update', groupId, id)
      const { protocol, ports, remote } = rule.facts
      const present = 'groupId' in remote ? { remote: { id: remote.groupId } } : { remote }
      const { name: _name, ...wanted } = body
      const merged = { direction: rule.facts.direction, protocol, ...present, ...ports, ...wanted }
      const facts = await ruleOf(context, merged, 'remote')
      const name = nameIn(body)
      await database.transaction(async (tx) => {
        if (name !== null) await rename(parts, tx, context, grant, { found: rule, name, nameTakenCode })
        await updateRecord(tx, grant, { ...rule, name: name ?? rule.name }, { facts })
      })
      return await showRule(context, { ...rule, name: name ?? rule.name, facts })
    },

    async removeRule(context: Context, groupId: string, id: string): Promise<void> {
      const { grant, rule } = await readRule(context, 'update', groupId, id)
      await database.transaction((tx) => removeOne(parts, tx, context, grant, rule))
    },
  }
}

const byName = (field: string): Fault =>
  new Fault('not_implemented', 'a security group by its name is not supported yet: give its id or crn', {
    target: { type: 'field', name: `${field}.name` },
  })

const isDefault = ({ name }: Group): Fault =>
  new Fault('conflict', `security group ${name} is the default group of its VPC and goes with it`)

const inUse = ({ name }: Group): Fault =>
  new Fault('conflict', `security group ${name} has network interfaces: delete their instances first`)
