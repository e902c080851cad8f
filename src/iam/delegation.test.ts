// A lets B's block storage use its keys and hand that on; B's side derives authorizations, and they end with A's.

import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '#base/fault.ts'
import { parsePolicyV2 } from './policy-parse-v2.ts'
import { parsePolicy } from './policy-parse.ts'
import type { Context, Target } from './port.ts'
import {
  bodyV2,
  body,
  delegator,
  eventsOf,
  make,
  makeV2,
  reader,
  serviceOf,
  serviceRole,
  user,
} from './testing/policies.ts'
import { accountA, accountB, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const writer = serviceRole('Writer')
const storage = { serviceName: 'server-protect', accountId: accountB }
const images = { serviceName: 'is', accountId: accountB }
const keys = { accountId: accountA, serviceName: 'kms' }
const keyOfA: Target = { ...keys, serviceInstance: 'i1', resourceType: 'key', resource: 'k1' }

const mayWrap = async (world: World, serviceName: string) =>
  (await world.iam.port.decide({ kind: 'service', serviceName, accountId: accountB }, 'kms.secrets.wrap', keyOfA))
    .permitted

test('without a parent B is told that A must act; with one B derives, never wider', async () => {
  await using world = await makeWorld()
  const [a, b] = [await world.owner(accountA), await world.owner(accountB)]
  const own = [storage, keys, [reader]] as const
  await rejects(make(world, b, ...own), (fault: Fault) => {
    match(fault.message, /account a+ must create it/)
    equal(fault.explanation?.account, accountA)
    deepEqual(fault.explanation?.missingPolicy, body(...own))
    return fault.code === 'forbidden'
  })

  const parent = await make(world, a, storage, keys, [delegator, reader])
  const child = await make(world, b, ...own)
  deepEqual(child.parent, { policyId: parent.id, accountId: accountB })
  deepEqual([child.accountId, child.createdById], [accountA, b.caller.iamId])
  // A sees it among its policies; B may read what it made, and lists nothing of A's.
  equal((await world.iam.policies.get(a, child.id)).id, child.id)
  equal((await world.iam.policies.get(b, child.id)).id, child.id)
  await rejects(world.iam.policies.get(b, parent.id), { code: 'not_found' })

  const wider: readonly (readonly [string, Record<string, string>, Record<string, string>, readonly string[]])[] = [
    ['a higher role', storage, keys, [writer]],
    ['the delegator role again', storage, keys, [delegator]],
    ['another service of A', storage, { ...keys, serviceName: 'hs-crypto' }, [reader]],
    ['another source', images, keys, [reader]],
    ['the source of another account', { ...storage, accountId: accountA }, keys, [reader]],
  ]
  for (const [, subject, resource, roles] of wider) {
    await rejects(make(world, b, subject, resource, roles), { code: 'forbidden' })
  }
  // Narrower is fine, for somebody who administers the source and for nobody else.
  await make(world, b, storage, { ...keys, serviceInstance: 'i1' }, [reader])
  const nobody = user('IBMid-NOBODY', accountB)
  await rejects(make(world, nobody, storage, { ...keys, serviceInstance: 'i2' }, [reader]), { code: 'forbidden' })
})

test('an authorization for all services of B lets its administrator derive for one of them', async () => {
  await using world = await makeWorld()
  const subject = {
    attributes: [
      { key: 'accountId', operator: 'stringEquals' as const, value: accountB },
      { key: 'serviceName', operator: 'stringExists' as const, value: true as const },
    ],
  }
  await makeV2(world, await world.owner(accountA), { ...bodyV2(storage, keys, [delegator, reader]), subject })
  equal(await mayWrap(world, 'server-protect'), true)
  const child = await make(world, await world.owner(accountB), storage, keys, [reader])
  equal(child.accountId, accountA)
})

test('a service derives for what it depends on, once, and in its own account', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const service = serviceOf(accountB)
  await rejects(make(world, service, images, keys, [reader]), { code: 'forbidden' })
  const parent = await make(world, a, storage, keys, [delegator, reader])
  equal(await mayWrap(world, 'is'), false)
  const child = await make(world, service, images, keys, [reader])
  deepEqual([child.createdById, child.parent?.policyId], [service.caller.iamId, parent.id])
  equal(await mayWrap(world, 'is'), true)

  const further: readonly (readonly [Context, Record<string, string>, readonly string[]])[] = [
    // What was derived is not handed on.
    [serviceOf(accountB, 'is'), { serviceName: 'containers-kubernetes', accountId: accountB }, [reader]],
    [service, { serviceName: 'containers-kubernetes', accountId: accountB }, [delegator, reader]],
    [service, { serviceName: 'is', accountId: accountA }, [reader]],
    [serviceOf(accountA), { serviceName: 'is', accountId: accountA }, [reader]],
  ]
  for (const [by, subject, roles] of further) {
    await rejects(make(world, by, subject, { ...keys, serviceInstance: 'i1' }, roles), { code: 'forbidden' })
  }
})

test('a parent that is deleted takes its children along, each with its event', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const parent = await make(world, a, storage, keys, [delegator, reader])
  const child = await make(world, serviceOf(accountB), images, keys, [reader])
  await world.iam.policies.delete(a, parent.id)
  deepEqual([await mayWrap(world, 'server-protect'), await mayWrap(world, 'is')], [false, false])
  equal((await world.iam.policies.get(a, child.id)).state, 'deleted')
  deepEqual(
    (await eventsOf(world, 'iam.policy.deleted')).map(({ policyId, parentId, accountId }) => [
      policyId,
      parentId,
      accountId,
    ]),
    [
      [child.id, parent.id, accountA],
      [parent.id, undefined, accountA],
    ],
  )
  // Made active again, the parent is alone; the child cannot come back before it, nor by itself.
  const gone = await world.iam.policies.get(a, child.id)
  await rejects(world.iam.policies.restore(a, child.id, gone.revision), { code: 'conflict' })
  await world.iam.policies.restore(a, parent.id, (await world.iam.policies.get(a, parent.id)).revision)
  deepEqual([await mayWrap(world, 'server-protect'), await mayWrap(world, 'is')], [true, false])
  await world.iam.policies.restore(a, child.id, gone.revision)
  equal(await mayWrap(world, 'is'), true)
})

test('a parent that is narrowed ends what no longer fits under it, and keeps the rest', async () => {
  await using world = await makeWorld()
  const [a, b] = [await world.owner(accountA), await world.owner(accountB)]
  const parent = await make(world, a, storage, keys, [delegator, writer])
  const narrow = await make(world, b, storage, { ...keys, serviceInstance: 'i1' }, [reader])
  const wide = await make(world, b, storage, { ...keys, serviceInstance: 'i2' }, [reader])
  const draft = parsePolicy(body(storage, { ...keys, serviceInstance: 'i1' }, [delegator, reader]))
  const narrowed = await world.iam.policies.replace(a, parent.id, { ifMatch: parent.revision, draft: () => draft })
  equal((await world.iam.policies.get(a, narrow.id)).state, 'active')
  equal((await world.iam.policies.get(a, wide.id)).state, 'deleted')
  // Without the delegator role nothing fits.
  const plain = parsePolicy(body(storage, { ...keys, serviceInstance: 'i1' }, [reader, writer]))
  await world.iam.policies.replace(a, parent.id, { ifMatch: narrowed.revision, draft: () => plain })
  equal((await world.iam.policies.get(a, narrow.id)).state, 'deleted')
})

test('a role that changes ends the children that it no longer covers, or that it widens', async () => {
  await using world = await makeWorld()
  const [a, b] = [await world.owner(accountA), await world.owner(accountB)]
  const role = (name: string, actions: readonly string[]) =>
    world.iam.customRoles.create(a, {
      accountId: accountA,
      name,
      displayName: name,
      description: null,
      serviceName: 'kms',
      actions,
    })
  const change = async (id: string, actions: readonly string[]) => {
    const { displayName, description } = await world.iam.customRoles.get(a, id)
    await world.iam.customRoles.replace(a, id, { ifMatch: '*', displayName, description, actions })
  }
  const [wrap, unwrap] = ['kms.secrets.wrap', 'kms.secrets.unwrap']
  const wide = await role('Wide', [wrap, unwrap])
  const narrow = await role('Narrow', [wrap])
  const parent = await make(world, a, storage, keys, [delegator, wide.crn])
  const inWide = await make(world, b, storage, { ...keys, serviceInstance: 'i1' }, [wide.crn])
  const inNarrow = await make(world, b, storage, { ...keys, serviceInstance: 'i2' }, [narrow.crn])
  const states = () =>
    Promise.all([parent, inWide, inNarrow].map(async ({ id }) => (await world.iam.policies.get(a, id)).state))
  await change(narrow.id, [unwrap])
  deepEqual(await states(), ['active', 'active', 'active'])
  // The child is wider than its parent now.
  await change(narrow.id, [unwrap, 'kms.secrets.list'])
  deepEqual(await states(), ['active', 'active', 'deleted'])
  await change(narrow.id, [unwrap])
  const second = await make(world, b, storage, { ...keys, serviceInstance: 'i3' }, [narrow.crn])
  await change(wide.id, [wrap])
  deepEqual(await states(), ['active', 'active', 'deleted'])
  equal((await world.iam.policies.get(a, second.id)).state, 'deleted')
  deepEqual(
    (await eventsOf(world, 'iam.policy.deleted')).map(({ policyId, parentId }) => [policyId, parentId]),
    [inNarrow, second].map(({ id }) => [id, parent.id]),
  )
})

test('a child is replaced for a source that could derive it, as it was made', async () => {
  await using world = await makeWorld()
  const [a, b] = [await world.owner(accountA), await world.owner(accountB)]
  await make(world, a, storage, keys, [delegator, reader])
  const child = await make(world, b, storage, keys, [reader])
  const replace = (by: Context, id: string, subject: Record<string, string>, more = {}) => {
    const draft = () => parsePolicyV2(bodyV2(subject, { ...keys, ...more }, [reader]))
    return world.iam.policies.replace(by, id, { ifMatch: '*', draft })
  }
  await rejects(make(world, b, images, keys, [reader]), { code: 'forbidden' })
  await rejects(replace(b, child.id, images), { code: 'forbidden' })
  equal(await mayWrap(world, 'is'), false)
  await replace(b, child.id, storage, { serviceInstance: 'i2' })
  const derived = await make(world, serviceOf(accountB), images, keys, [reader])
  await replace(serviceOf(accountB), derived.id, images, { serviceInstance: 'i1' })
  await rejects(replace(b, derived.id, images), { code: 'forbidden' })
  await replace(a, derived.id, images)
})

test('a child is replaced within its parent only, and deleted by A or by B', async () => {
  await using world = await makeWorld()
  const [a, b] = [await world.owner(accountA), await world.owner(accountB)]
  await make(world, a, storage, keys, [delegator, reader])
  const first = await make(world, b, storage, keys, [reader])
  const replace = (by: Context, roles: readonly string[], resource: Record<string, string> = keys) =>
    world.iam.policies.replace(by, first.id, {
      ifMatch: '*',
      draft: () => parsePolicyV2(bodyV2(storage, resource, roles)),
    })
  await rejects(replace(b, [writer]), { code: 'conflict' })
  await rejects(replace(a, [writer]), { code: 'conflict' })
  equal((await replace(b, [reader], { ...keys, serviceInstance: 'i1' })).parent?.accountId, accountB)
  await rejects(world.iam.policies.delete(user('IBMid-NOBODY', accountB), first.id), { code: 'not_found' })
  await world.iam.policies.delete(b, first.id)
  const second = await make(world, b, storage, keys, [reader])
  await world.iam.policies.delete(a, second.id)
})
