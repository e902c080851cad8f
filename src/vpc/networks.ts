// VPCs and their address prefixes, as requests reach them. A VPC comes with a security group, an access control list and
// a routing table of its own; the last two are references and nothing more. Source: VPC API, "VPCs".

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { overlap, parseBlock } from './addresses.ts'
import {
  collections,
  insertNamed,
  leaveToMake,
  listRecords,
  readOne,
  recordNotFound,
  removeOne,
  rename,
  renameOne,
} from './collections.ts'
import { checkIfMatch, recordEtag } from './etags.ts'
import { groupNames } from './groups.ts'
import { nameOf } from './identity.ts'
import { makeRegionalId, vpcCrn } from './ids.ts'
import { checkName, makeName } from './names.ts'
import { aclView, prefixView, routingTableView, vpcView } from './network-reply.ts'
import { vpcPrototypeNotYet } from './network-schemas.ts'
import type { prefixPatch, prefixPrototype, vpcPatch, vpcPrototype, vpcQuery } from './network-schemas.ts'
import { refuseNotYet } from './not-yet.ts'
import { pageLinks, pageOf } from './page.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import type { Recorded } from './record.ts'
import { checkZone, zonesOf } from './regions.ts'
import { defaultRules } from './security-group-rules.ts'
import { childrenOf, countRecords, deleteChildren, readRecord, referredRecords } from './tables-records.ts'
import { hasInstanceIn } from './tables-instances.ts'

type Network = Recorded<'vpc'>

export type Networks = ReturnType<typeof makeNetworks>

export function makeNetworks(parts: VpcParts) {
  const { database, random, region } = parts
  const { vpc: collection } = collections
  const { nameTakenCode } = collection

  async function views(context: Context, networks: readonly Network[]) {
    const names = await groupNames(parts.resources, networks)
    const { accountId } = context.caller
    const ids = networks.map(({ facts }) => facts.defaultGroupId)
    const groups = await referredRecords(database.reads, 'security-group', accountId, ids)
    return networks.map((network) =>
      vpcView(context.baseUrl, network, { groupNames: names, defaultGroup: groups.get(network.facts.defaultGroupId) }),
    )
  }

  async function view(context: Context, network: Network) {
    const [shown] = await views(context, [network])
    if (!shown) throw new Error('one VPC has one view')
    return shown
  }

  const answer = async (context: Context, network: Network) =>
    reply(await view(context, network), { etag: recordEtag(network) })

  const checkedBy = (ifMatch: string | undefined) => (now: Network) =>
    checkIfMatch(ifMatch, recordEtag(now), `VPC ${now.id}`)

  async function prefixes(context: Context, networkId: string) {
    const prefixes = await childrenOf(database.reads, 'address-prefix', context.caller.accountId, [networkId])
    const subnets = await childrenOf(database.reads, 'subnet', context.caller.accountId, [networkId])
    return prefixes.map((prefix) => ({ prefix, subnets }))
  }

  async function prefixOf(context: Context, networkId: string, id: string) {
    const found = (await prefixes(context, networkId)).find(({ prefix }) => prefix.id === id)
    if (!found) throw recordNotFound('address prefix', id)
    return found
  }

  return {
    async create(context: Context, body: Static<typeof vpcPrototype>) {
      refuseNotYet(body, vpcPrototypeNotYet)
      const { accountId } = context.caller
      const asked = body.name === undefined ? null : checkName(body.name)
      const { grant, resourceGroupId } = await leaveToMake(parts, context, collection, body.resource_group?.id)
      const now = parts.clock.now()
      const draft = (kind: 'vpc' | 'security-group') => {
        const id = makeRegionalId(random, region)
        return { id, accountId, region, crn: vpcCrn(kind, { accountId, location: region }, id), resourceGroupId }
      }
      const group = draft('security-group')
      const network = {
        ...draft('vpc'),
        kind: 'vpc',
        parentId: '',
        nameScope: `${accountId}/${region}`,
        facts: {
          classicAccess: false,
          defaultGroupId: group.id,
          acl: { id: makeRegionalId(random, region), name: makeName(random) },
          routingTable: { id: makeRegionalId(random, region), name: makeName(random) },
        },
        createdAt: now,
      } as const
      const below = { parentId: network.id, nameScope: network.id, createdAt: now } as const
      const name = await database.transaction(async (tx) => {
        checkQuota(parts, 'vpcs', await countRecords(tx, 'vpc', grant, { region }))
        const given = await insertNamed(parts, tx, context, grant, { ...network, name: asked, nameTakenCode })
        const made = { ...group, ...below, kind: 'security-group', facts: {}, name: null, nameTakenCode } as const
        await insertNamed(parts, tx, context, grant, made)
        for (const rule of defaultRules({ accountId, region, groupId: group.id, createdAt: now, random })) {
          await insertNamed(parts, tx, context, grant, { ...rule, nameTakenCode })
        }
        if (body.address_prefix_management === 'manual') return given
        for (const [i, zone] of zonesOf(region).entries()) {
          await insertNamed(parts, tx, context, grant, {
            ...draftPrefix(parts, network, { zone, cidr: `10.240.${64 * i}.0/18`, isDefault: true }),
            name: null,
            nameTakenCode,
          })
        }
        return given
      })
      return await answer(context, { ...network, name })
    },

    async list(context: Context, query: Static<typeof vpcQuery>) {
      const { items, links } = await listRecords(parts, context, collection, query, {
        name: query.name,
        resourceGroupId: query['resource_group.id'],
        // None has access to classic infrastructure.
        hasNone: query.classic_access === true ? true : undefined,
      })
      return { ...links, vpcs: await views(context, items) }
    },

    async get(context: Context, id: string) {
      return await answer(context, (await readOne(parts, context, collection, 'read', id)).found)
    },

    async update(context: Context, id: string, body: Static<typeof vpcPatch>, ifMatch: string | undefined) {
      return await answer(context, await renameOne(parts, context, collection, id, body, checkedBy(ifMatch)))
    },

    async remove(context: Context, id: string, ifMatch: string | undefined): Promise<void> {
      const { grant } = await readOne(parts, context, collection, 'delete', id)
      await database.transaction(async (tx) => {
        const found = await readRecord(tx, 'vpc', grant)
        if (!found) return
        checkedBy(ifMatch)(found)
        const subnets = await countRecords(tx, 'subnet', grant, { parentId: id })
        if (subnets > 0 || (await hasInstanceIn(tx, grant, id))) throw notEmpty(found)
        const groups = await childrenOf(tx, 'security-group', found.accountId, [id])
        for (const group of groups) await deleteChildren(tx, grant, group.id)
        await deleteChildren(tx, grant, id)
        await removeOne(parts, tx, context, grant, found)
      })
    },

    async defaultAcl(context: Context, id: string) {
      const { found } = await readOne(parts, context, collection, 'read', id)
      return aclView(context.baseUrl, found, await groupNames(parts.resources, [found]))
    },

    async defaultRoutingTable(context: Context, id: string) {
      const { found } = await readOne(parts, context, collection, 'read', id)
      return routingTableView(context.baseUrl, found, await childrenOf(database.reads, 'subnet', found.accountId, [id]))
    },

    async listPrefixes(context: Context, id: string, query: PageRequest) {
      await readOne(parts, context, collection, 'read', id)
      const all = await prefixes(context, id)
      const page = pageOf(
        all.map(({ prefix }) => prefix),
        query,
      )
      const { baseUrl } = context
      const subnets = all[0]?.subnets ?? []
      return {
        ...pageLinks(page, `${baseUrl}/v1/vpcs/${id}/address_prefixes`, {}),
        address_prefixes: page.items.map((prefix) => prefixView(baseUrl, prefix, subnets)),
      }
    },

    async createPrefix(context: Context, id: string, body: Static<typeof prefixPrototype>) {
      const { grant, found } = await readOne(parts, context, collection, 'update', id)
      const zone = checkZone(region, nameOf(body.zone, 'zone'))
      const block = parseBlock(body.cidr)
      if (!block || block.size < 8) throw wrongCidr(body.cidr)
      const asked = body.name === undefined ? null : checkName(body.name)
      const facts = { zone, cidr: body.cidr, isDefault: body.is_default ?? false }
      const prefix = draftPrefix(parts, found, facts)
      const name = await database.transaction(async (tx) => {
        const others = await childrenOf(tx, 'address-prefix', found.accountId, [id])
        checkQuota(parts, 'address_prefixes_per_vpc', others.length)
        const obstacle = others.find(({ facts: { cidr } }) => overlap(parseBlock(cidr) ?? block, block))
        if (obstacle) throw overlaps(body.cidr, obstacle.facts.cidr)
        return await insertNamed(parts, tx, context, grant, { ...prefix, name: asked, nameTakenCode })
      })
      return prefixView(context.baseUrl, { ...prefix, name }, [])
    },

    async getPrefix(context: Context, networkId: string, id: string) {
      await readOne(parts, context, collection, 'read', networkId)
      const { prefix, subnets } = await prefixOf(context, networkId, id)
      return prefixView(context.baseUrl, prefix, subnets)
    },

    async updatePrefix(context: Context, networkId: string, id: string, body: Static<typeof prefixPatch>) {
      const { grant } = await readOne(parts, context, collection, 'update', networkId)
      const { prefix, subnets } = await prefixOf(context, networkId, id)
      if (body.name === undefined) return prefixView(context.baseUrl, prefix, subnets)
      const name = checkName(body.name)
      await database.transaction((tx) => rename(parts, tx, context, grant, { found: prefix, name, nameTakenCode }))
      return prefixView(context.baseUrl, { ...prefix, name }, subnets)
    },

    async removePrefix(context: Context, networkId: string, id: string): Promise<void> {
      const { grant } = await readOne(parts, context, collection, 'update', networkId)
      const { prefix, subnets } = await prefixOf(context, networkId, id)
      if (prefixView('', prefix, subnets).has_subnets) throw prefixInUse(prefix.facts.cidr)
      await database.transaction((tx) => removeOne(parts, tx, context, grant, prefix))
    },
  }
}

const draftPrefix = (
  { random, clock, region }: VpcParts,
  network: Omit<Network, 'name'>,
  facts: Recorded<'address-prefix'>['facts'],
) =>
  ({
    id: makeRegionalId(random, region),
    kind: 'address-prefix',
    accountId: network.accountId,
    region,
    parentId: network.id,
    nameScope: network.id,
    crn: '',
    resourceGroupId: network.resourceGroupId,
    facts,
    createdAt: clock.now(),
  }) as const

const cidrTarget = { type: 'field', name: 'cidr' } as const

const wrongCidr = (cidr: string): Fault =>
  new Fault('invalid', `cidr ${JSON.stringify(cidr.slice(0, 64))} is not a block of 8 addresses or more`, {
    reason: 'bad_field',
    target: cidrTarget,
  })

const overlaps = (cidr: string, other: string): Fault =>
  new Fault('invalid', `cidr ${cidr} overlaps the address prefix ${other}`, { reason: 'bad_field', target: cidrTarget })

const prefixInUse = (cidr: string): Fault => new Fault('conflict', `address prefix ${cidr} has subnets`)

const notEmpty = ({ name }: Network): Fault =>
  new Fault('conflict', `VPC ${name} has subnets or instances: delete them first`, { reason: 'vpc_not_empty' })
