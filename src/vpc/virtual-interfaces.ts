// Virtual network interfaces, as requests reach them: an address and its groups, made before the instance that gets it
// or together with one. Source: VPC API, "Virtual network interfaces".

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { collections, leaveToMake, listRecords, readOne, recordNotFound, removeOne, rename } from './collections.ts'
import { checkIfMatch, recordEtag } from './etags.ts'
import { groupNames } from './groups.ts'
import { planInterface, writeVni } from './instance-interfaces.ts'
import { interfaceEnds } from './interface-ends.ts'
import { checkName } from './names.ts'
import { vniView } from './network-reply.ts'
import type { vniPatch, vniPrototype, vniQuery } from './network-schemas.ts'
import type { VpcParts } from './parts.ts'
import type { Recorded } from './record.ts'
import { deleteRecord, readRecord, referredRecords, updateRecord } from './tables-records.ts'

type Vni = Recorded<'virtual-network-interface'>

export type VirtualInterfaces = ReturnType<typeof makeVirtualInterfaces>

export function makeVirtualInterfaces(parts: VpcParts) {
  const { database } = parts
  const { reads } = database
  const { virtualInterface: collection } = collections
  const { nameTakenCode } = collection

  async function views(context: Context, vnis: readonly Vni[]) {
    const { baseUrl, caller } = context
    const names = await groupNames(parts.resources, vnis)
    const ends = await interfaceEnds(reads, caller.accountId, vnis)
    const vpcIds = Array.from(ends.values(), ({ subnet }) => subnet.parentId)
    const networks = await referredRecords(reads, 'vpc', caller.accountId, vpcIds)
    const nicIds = vnis.flatMap(({ facts }) => facts.targetId ?? [])
    const nics = await referredRecords(reads, 'network-interface', caller.accountId, nicIds)
    return vnis.flatMap((vni) => {
      const end = ends.get(vni.id)
      const network = end && networks.get(end.subnet.parentId)
      const nic = nics.get(vni.facts.targetId ?? '')
      return network ? [vniView(baseUrl, vni, { ...end, groupNames: names, network, nic })] : []
    })
  }

  async function view(context: Context, vni: Vni) {
    const [shown] = await views(context, [vni])
    if (!shown) throw new Error('a virtual network interface has a subnet')
    return shown
  }

  const answer = async (context: Context, vni: Vni) => reply(await view(context, vni), { etag: vniEtag(vni) })

  return {
    async create(context: Context, body: Static<typeof vniPrototype>) {
      const planned = await planInterface(parts, context, body, { field: '', isPrimary: false })
      const { grant, resourceGroupId } = await leaveToMake(parts, context, collection, body.resource_group?.id)
      const wanted = {
        name: planned.name,
        autoDelete: body.auto_delete ?? false,
        enableNat: body.enable_infrastructure_nat ?? true,
        resourceGroupId,
      }
      const vni = await database.transaction((tx) => writeVni(parts, tx, context, grant, planned, wanted))
      return await answer(context, vni)
    },

    async list(context: Context, query: Static<typeof vniQuery>) {
      const resourceGroupId = query['resource_group.id']
      const { items, links } = await listRecords(parts, context, collection, query, { resourceGroupId })
      return { ...links, virtual_network_interfaces: await views(context, items) }
    },

    async get(context: Context, id: string) {
      return await answer(context, (await readOne(parts, context, collection, 'read', id)).found)
    },

    async update(context: Context, id: string, body: Static<typeof vniPatch>, ifMatch: string | undefined) {
      const { grant } = await readOne(parts, context, collection, 'update', id)
      const asked = body.name === undefined ? null : checkName(body.name)
      const after = await database.transaction(async (tx) => {
        const found = await readRecord(tx, collection.kind, grant)
        if (!found) throw recordNotFound(collection.words, id)
        checkIfMatch(ifMatch, vniEtag(found), `virtual network interface ${id}`)
        const name = asked ?? found.name
        const facts = {
          ...found.facts,
          autoDelete: body.auto_delete ?? found.facts.autoDelete,
          allowIpSpoofing: body.allow_ip_spoofing ?? found.facts.allowIpSpoofing,
          enableNat: body.enable_infrastructure_nat ?? found.facts.enableNat,
        }
        if (name !== found.name) await rename(parts, tx, context, grant, { found, name, nameTakenCode })
        await updateRecord(tx, grant, { ...found, name }, { facts })
        return { ...found, name, facts }
      })
      return await answer(context, after)
    },

    async remove(context: Context, id: string, ifMatch: string | undefined) {
      const { grant, found } = await readOne(parts, context, collection, 'delete', id)
      const shown = await view(context, found)
      await database.transaction(async (tx) => {
        const now = await readRecord(tx, collection.kind, grant)
        if (now) checkIfMatch(ifMatch, vniEtag(now), `virtual network interface ${id}`)
        if (now && now.facts.targetId !== null) throw attached(found)
        const { addressId } = found.facts
        const address = (await referredRecords(tx, 'reserved-ip', found.accountId, [addressId])).get(addressId)
        if (address?.facts.autoDelete) await deleteRecord(tx, grant, addressId)
        else if (address) await updateRecord(tx, grant, address, { facts: { ...address.facts, targetId: null } })
        await removeOne(parts, tx, context, grant, found)
      })
      return { ...shown, lifecycle_state: 'deleting' as const }
    },
  }
}

/** Of what its user changes, and not of what it is attached to. */
const vniEtag = (vni: Vni): string =>
  recordEtag(vni, [vni.facts.autoDelete, vni.facts.allowIpSpoofing, vni.facts.enableNat])

const attached = ({ name }: Vni): Fault =>
  new Fault('conflict', `virtual network interface ${name} is attached to an instance: delete that first`)
