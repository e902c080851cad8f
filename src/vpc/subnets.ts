// Subnets and their reserved addresses, as requests reach them. Source: VPC API, "Subnets".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { contains, formatBlock, freeBlock, keptAddresses, overlap, parseBlock } from './addresses.ts'
import type { Block } from './addresses.ts'
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
import { groupNames } from './groups.ts'
import { idOf, nameOf } from './identity.ts'
import { makeZonalId, vpcCrn } from './ids.ts'
import { checkName } from './names.ts'
import { addressView, subnetHref, subnetView } from './network-reply.ts'
import { subnetPrototypeNotYet } from './network-schemas.ts'
import type { addressPatch, addressPrototype, subnetPatch, subnetPrototype, subnetQuery } from './network-schemas.ts'
import { refuseNotYet } from './not-yet.ts'
import { networksAsked } from './networks-asked.ts'
import { pageLinks, pageOf } from './page.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import type { Recorded } from './record.ts'
import { checkZone } from './regions.ts'
import { reserveAddress } from './reserve-address.ts'
import { childrenOf, countRecords, parentsOf, updateRecord } from './tables-records.ts'

type Subnet = Recorded<'subnet'>

export type Subnets = ReturnType<typeof makeSubnets>

export function makeSubnets(parts: VpcParts) {
  const { database, random, region } = parts
  const { reads } = database
  const { subnet: collection, vpc } = collections
  const { nameTakenCode } = collection

  async function views(context: Context, subnets: readonly Subnet[]) {
    const names = await groupNames(parts.resources, subnets)
    const { accountId } = context.caller
    const networks = await parentsOf(reads, 'vpc', accountId, subnets)
    const ids = subnets.map(({ id }) => id)
    const addresses = await childrenOf(reads, 'reserved-ip', accountId, ids)
    const counts = Map.groupBy(addresses, ({ parentId }) => parentId)
    return subnets.flatMap((subnet) => {
      const network = networks.get(subnet.parentId)
      const addressCount = counts.get(subnet.id)?.length ?? 0
      return network ? [subnetView(context.baseUrl, subnet, { groupNames: names, network, addressCount })] : []
    })
  }

  async function view(context: Context, subnet: Subnet) {
    const [shown] = await views(context, [subnet])
    if (!shown) throw recordNotFound(collection.words, subnet.id)
    return shown
  }

  async function addressOf(context: Context, verb: 'read' | 'update', subnetId: string, id: string) {
    const { grant, found } = await readOne(parts, context, collection, verb, subnetId)
    const address = (await childrenOf(reads, 'reserved-ip', found.accountId, [subnetId])).find((one) => one.id === id)
    if (!address) throw recordNotFound('reserved IP', id)
    return { grant, address }
  }

  return {
    async create(context: Context, body: Static<typeof subnetPrototype>) {
      refuseNotYet(body, subnetPrototypeNotYet)
      const asked = body.name === undefined ? null : checkName(body.name)
      const room = parseRoom(body, region)
      const network = await referred(parts, context, vpc, idOf(body.vpc, 'vpc'), 'vpc')
      const { grant, resourceGroupId } = await leaveToMake(parts, context, collection, body.resource_group?.id)
      const { accountId } = network
      const { subnet, name } = await database.transaction(async (tx) => {
        checkQuota(parts, 'subnets_per_vpc', await countRecords(tx, 'subnet', grant, { parentId: network.id }))
        const facts = await findRoom(tx, network, room)
        const id = makeZonalId(random, facts.zone)
        const subnet = {
          id,
          kind: 'subnet',
          accountId,
          region,
          parentId: network.id,
          nameScope: network.id,
          crn: vpcCrn('subnet', { accountId, location: facts.zone }, id),
          resourceGroupId,
          facts,
          createdAt: parts.clock.now(),
        } as const
        return { subnet, name: await insertNamed(parts, tx, context, grant, { ...subnet, name: asked, nameTakenCode }) }
      })
      return await view(context, { ...subnet, name })
    },

    async list(context: Context, query: Static<typeof subnetQuery>) {
      const { items, links } = await listRecords(parts, context, collection, query, {
        name: query.name,
        resourceGroupId: query['resource_group.id'],
        parentIds: await networksAsked(reads, { accountId: context.caller.accountId, region }, query),
        zone: query['zone.name'],
      })
      return { ...links, subnets: await views(context, items) }
    },

    async get(context: Context, id: string) {
      return await view(context, (await readOne(parts, context, collection, 'read', id)).found)
    },

    async update(context: Context, id: string, body: Static<typeof subnetPatch>) {
      refuseNotYet(body, subnetPrototypeNotYet)
      return await view(context, await renameOne(parts, context, collection, id, body))
    },

    async remove(context: Context, id: string): Promise<void> {
      const { grant, found } = await readOne(parts, context, collection, 'delete', id)
      await database.transaction(async (tx) => {
        if ((await countRecords(tx, 'reserved-ip', grant, { parentId: id })) > 0) throw notEmpty(found)
        await removeOne(parts, tx, context, grant, found)
      })
    },

    async listAddresses(context: Context, id: string, query: PageRequest) {
      const { found } = await readOne(parts, context, collection, 'read', id)
      const page = pageOf(await childrenOf(reads, 'reserved-ip', found.accountId, [id]), query)
      return {
        ...pageLinks(page, `${subnetHref(context.baseUrl, id)}/reserved_ips`, {}),
        reserved_ips: page.items.map((address) => addressView(context.baseUrl, address)),
      }
    },

    async createAddress(context: Context, id: string, body: Static<typeof addressPrototype>) {
      const name = body.name === undefined ? null : checkName(body.name)
      const { grant, found: subnet } = await readOne(parts, context, collection, 'update', id)
      const wanted = { address: body.address ?? null, name, autoDelete: body.auto_delete ?? false, targetId: null }
      const reserved = await database.transaction((tx) =>
        reserveAddress(parts, tx, context, grant, { subnet, wanted, field: 'address' }),
      )
      return addressView(context.baseUrl, reserved)
    },

    async getAddress(context: Context, subnetId: string, id: string) {
      return addressView(context.baseUrl, (await addressOf(context, 'read', subnetId, id)).address)
    },

    async updateAddress(context: Context, subnetId: string, id: string, body: Static<typeof addressPatch>) {
      const { grant, address } = await addressOf(context, 'update', subnetId, id)
      const name = body.name === undefined ? address.name : checkName(body.name)
      const facts = { ...address.facts, autoDelete: body.auto_delete ?? address.facts.autoDelete }
      await database.transaction(async (tx) => {
        if (name !== address.name) await rename(parts, tx, context, grant, { found: address, name, nameTakenCode })
        await updateRecord(tx, grant, { ...address, name }, { facts })
      })
      return addressView(context.baseUrl, { ...address, name, facts })
    },

    async removeAddress(context: Context, subnetId: string, id: string): Promise<void> {
      const { grant, address } = await addressOf(context, 'update', subnetId, id)
      if (address.facts.targetId !== null) throw addressInUse(address.facts.address)
      await database.transaction((tx) => removeOne(parts, tx, context, grant, address))
    },
  }
}

type Room = { readonly zone: string | null; readonly block: Block } | { readonly zone: string; readonly size: number }

/** VPC API, "SubnetPrototype": either by block, where the zone may be left to the prefix, or by count and zone. */
function parseRoom(body: Static<typeof subnetPrototype>, region: string): Room {
  const { ipv4_cidr_block: cidr, total_ipv4_address_count: count } = body
  const zone = body.zone === undefined ? null : checkZone(region, nameOf(body.zone, 'zone'))
  if ((cidr === undefined) === (count === undefined)) {
    throw wrong('ipv4_cidr_block', 'or total_ipv4_address_count must be given, and not both', 'validation_only_one')
  }
  if (cidr !== undefined) {
    const block = parseBlock(cidr)
    if (!block || block.size < addressesMin)
      throw wrong('ipv4_cidr_block', `is not a block of ${addressesMin} addresses or more`)
    return { zone, block }
  }
  if (zone === null) throw wrong('zone', 'is required with total_ipv4_address_count', 'validation_required_field')
  if (count === undefined || count < addressesMin || count > addressesMax || !Number.isInteger(Math.log2(count))) {
    throw wrong('total_ipv4_address_count', `must be a power of two from ${addressesMin} to ${addressesMax}`)
  }
  return { zone, size: count }
}

/** VPC API, `total_ipv4_address_count`: a power of two, 8 or more; a block of class A is more than any prefix. */
const addressesMin = 8
const addressesMax = 2 ** 24

async function findRoom(tx: Tx, { id, accountId }: Recorded<'vpc'>, room: Room): Promise<Subnet['facts']> {
  const prefixes = (await childrenOf(tx, 'address-prefix', accountId, [id])).flatMap(({ facts }) => {
    const block = parseBlock(facts.cidr)
    return block && (room.zone === null || facts.zone === room.zone) ? [{ block, zone: facts.zone }] : []
  })
  const taken = (await childrenOf(tx, 'subnet', accountId, [id])).flatMap(({ facts }) => parseBlock(facts.cidr) ?? [])
  if ('block' in room) {
    const { block } = room
    const prefix = prefixes.find((one) => contains(one.block, block))
    if (!prefix) throw wrong('ipv4_cidr_block', 'lies in no address prefix of the VPC in that zone')
    if (taken.some((one) => overlap(one, block)))
      throw wrong('ipv4_cidr_block', 'overlaps another subnet', 'subnet_conflict')
    return { cidr: formatBlock(block), zone: prefix.zone }
  }
  const blocks = prefixes.map(({ block }) => block)
  const free = freeBlock(blocks, taken, room.size)
  if (!free)
    throw wrong('total_ipv4_address_count', 'is more than the address prefixes of the VPC in that zone have left')
  return { cidr: formatBlock(free), zone: room.zone }
}

const wrong = (name: string, rule: string, reason = 'bad_field'): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name } })

const notEmpty = ({ name }: Subnet): Fault =>
  new Fault(
    'conflict',
    `subnet ${name} has reserved addresses beyond its own ${keptAddresses}: delete what uses them first`,
    {
      reason: 'subnet_not_empty',
    },
  )

const addressInUse = (address: string): Fault =>
  new Fault('conflict', `address ${address} is bound to a network interface`)
