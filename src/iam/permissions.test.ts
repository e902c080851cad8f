import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '#base/fault.ts'
import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import { parsePolicyQuery } from './policy-list.ts'
import { parsePolicy } from './policy-parse.ts'
import type { Target } from './port.ts'
import { administrator, body, eventsOf, make, reader, serviceRole, user } from './testing/policies.ts'
import { accountA, accountB, makeWorld } from './testing/world.ts'

const keys = { accountId: accountA, serviceName: 'kms' }
const keyOfA: Target = { ...keys, serviceInstance: 'i1', resourceType: 'key', resource: 'k1' }
const someone = user('IBMid-SOMEONE', accountA)
const storage = { kind: 'service', serviceName: 'server-protect', accountId: accountB } as const

test('what one replica changes counts for another at its next decision', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const other = await world.restart()
  const may = async () => (await other.port.decide(someone.caller, 'kms.secrets.wrap', keyOfA)).permitted
  equal(await may(), false)
  const policy = await make(world, a, { iam_id: 'IBMid-SOMEONE' }, keys, [reader])
  equal(await may(), true)
  await world.iam.policies.delete(a, policy.id)
  equal(await may(), false)
  const group = await world.iam.accessGroups.create(a, { accountId: accountA, name: 'g', description: '' })
  await make(world, a, { access_group_id: group.id }, keys, [reader])
  equal(await may(), false)
  await world.iam.groupMembers.add(a, group.id, [{ iamId: 'IBMid-SOMEONE', type: 'user' }])
  equal(await may(), true)
  await world.iam.groupMembers.remove(a, group.id, ['IBMid-SOMEONE'])
  equal(await may(), false)
})

test('with a propagation delay a change counts when the delay is over, in both directions', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const slow = await world.restart({ policyPropagationMs: 60_000 })
  world.clock.advance(120_000)
  const may = async (action = 'kms.secrets.wrap') => (await slow.port.decide(someone.caller, action, keyOfA)).permitted
  const policy = await make(world, a, { iam_id: 'IBMid-SOMEONE' }, keys, [reader])
  deepEqual(
    [await may(), (world.clock.advance(59_999), await may()), (world.clock.advance(1), await may())],
    [false, false, true],
  )
  const draft = parsePolicy(body({ iam_id: 'IBMid-SOMEONE' }, keys, [serviceRole('Writer')]))
  await world.iam.policies.replace(a, policy.id, { ifMatch: policy.revision, draft: () => draft })
  deepEqual([await may(), await may('kms.secrets.create')], [true, false])
  world.clock.advance(60_000)
  equal(await may('kms.secrets.create'), true)
  await world.iam.policies.delete(a, policy.id)
  equal(await may(), true)
  world.clock.advance(60_000)
  equal(await may(), false)
})

test('when a policy last permitted something is told, counted, and sorted by', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const [first, second] = [
    await make(world, a, { iam_id: 'IBMid-SOMEONE' }, keys, [reader]),
    await make(world, a, { iam_id: 'IBMid-OTHER' }, keys, [reader]),
  ]
  for (const _ of [1, 2, 3]) await world.iam.port.decide(someone.caller, 'kms.secrets.wrap', keyOfA)
  await world.iam.port.decide(someone.caller, 'kms.secrets.delete', keyOfA)
  deepEqual((await world.iam.policies.get(a, first.id, true)).lastPermit, { at: world.clock.now(), count: 3 })
  equal((await world.iam.policies.get(a, second.id, true)).lastPermit, null)
  world.clock.advance(1000)
  await world.iam.port.decide(someone.caller, 'kms.secrets.wrap', keyOfA)
  const page = parsePolicyQuery({
    account_id: accountA,
    format: 'include_last_permit',
    sort: '-last_permit_frequency',
    limit: 1,
  })
  const { policies } = await world.iam.policies.list(a, accountA, page)
  deepEqual(
    policies.map((policy) => [policy.id, policy.lastPermit]),
    [[first.id, { at: world.clock.now(), count: 4 }]],
  )
})

test('a refusal names the nearest policy of the own account and what did not match', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const near = await make(world, a, { iam_id: 'IBMid-SOMEONE' }, { ...keys, serviceInstance: 'i2' }, [reader])
  await make(world, a, { iam_id: 'IBMid-SOMEONE' }, { accountId: accountA, serviceName: 'is' }, [administrator])
  await make(world, a, { iam_id: 'IBMid-OTHER' }, { ...keys, serviceInstance: 'i1' }, [reader])
  await rejects(world.iam.port.authorize(someone.caller, 'kms.secrets.wrap', keyOfA), ({ explanation }: Fault) => {
    deepEqual(explanation?.nearestPolicy, {
      id: near.id,
      differs: [{ in: 'resource', attribute: 'serviceInstance', policy: 'i2', request: 'i1' }],
    })
    return true
  })
  await rejects(
    world.iam.port.authorize(someone.caller, 'kms.secrets.delete', { ...keyOfA, serviceInstance: 'i2' }),
    ({ explanation }: Fault) => {
      deepEqual(explanation?.nearestPolicy?.differs, [{ in: 'roles', policy: [reader], request: 'kms.secrets.delete' }])
      return true
    },
  )
})

test('of another account’s policies a refusal tells nothing, however near they are', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const asked = async () => {
    let found: Fault | null = null
    await rejects(
      world.iam.port.authorize(storage, 'kms.secrets.wrap', keyOfA),
      (fault: Fault) => ((found = fault), true),
    )
    return JSON.stringify(found)
  }
  const before = await asked()
  await make(world, a, { serviceName: 'server-protect', accountId: accountB }, { ...keys, serviceInstance: 'i2' }, [
    reader,
  ])
  equal(await asked(), before)
})

test('an account limits identities from elsewhere, whatever its policies say, and says so', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  await make(world, a, { serviceName: 'server-protect', accountId: accountB }, keys, [reader])
  const may = async () => (await world.iam.port.decide(storage, 'kms.secrets.wrap', keyOfA)).permitted
  const set = async (state: 'enabled' | 'monitor' | 'limited', allowed: readonly string[] = []) => {
    const { revision } = await world.iam.accessSettings.get(a, accountA)
    const service = { state, external_allowed_accounts: allowed }
    await world.iam.accessSettings.update(a, accountA, { ifMatch: revision, patch: { service } })
  }
  const seen = async () => (await world.iam.close(), await eventsOf(world, 'iam.external-access.evaluated'))
  equal(await may(), true)
  deepEqual(await seen(), [])

  await set('monitor')
  equal(await may(), true)
  equal(await may(), true)
  const facts = { accountId: accountA, subjectAccountId: accountB, identityType: 'service', action: 'kms.secrets.wrap' }
  deepEqual(await seen(), [{ ...facts, isEnforced: false }])

  await set('limited')
  equal(await may(), false)
  await rejects(world.iam.port.authorize(storage, 'kms.secrets.wrap', keyOfA), (fault: Fault) => {
    match(fault.message, /account a+ must add it to external_allowed_accounts/)
    return fault.explanation?.setting === 'external_account_identity_interaction'
  })
  deepEqual((await seen()).at(-1), { ...facts, isEnforced: true })

  await set('limited', [accountB])
  equal(await may(), true)
  await set('limited')
  // Users and service ids have settings of their own, and nobody is external at home.
  const visitor = user('IBMid-VISITOR', accountB)
  await make(world, a, { iam_id: 'IBMid-VISITOR' }, keys, [reader])
  equal((await world.iam.port.decide(visitor.caller, 'kms.secrets.wrap', keyOfA)).permitted, true)
  equal((await world.iam.port.decide(a.caller, 'kms.secrets.wrap', keyOfA)).permitted, true)
})

test('another account’s settings read like those of none', async () => {
  await using world = await makeWorld()
  const b = await world.owner(accountB)
  for (const accountId of [accountA, 'c'.repeat(32), 'x']) {
    await rejects(world.iam.accessSettings.get(b, accountId), {
      code: 'not_found',
      message: `account ${accountId} not found`,
    })
    const change = { ifMatch: '*', patch: {} }
    await rejects(world.iam.accessSettings.update(b, accountId, change), { code: 'not_found' })
  }
})

test('a disabled account gives nothing and is given nothing, from the next decision on, until it is enabled', async () => {
  await using world = await makeWorld()
  const { accounts, port } = world.iam
  const a = await world.owner(accountA)
  await make(world, a, { iam_id: 'IBMid-SOMEONE' }, keys, [reader])
  await make(world, a, { serviceName: 'server-protect', accountId: accountB }, keys, [reader])
  const ofProvider = { accountId: providerAccountId, serviceName: 'kms', serviceInstance: providerInstanceId(accountB) }
  const may = async () => [
    (await port.decide(someone.caller, 'kms.secrets.wrap', keyOfA)).permitted,
    (await port.decide(storage, 'kms.secrets.wrap', keyOfA)).permitted,
    (await port.decide(storage, 'kms.secrets.unwrap', ofProvider)).permitted,
  ]
  deepEqual(await may(), [true, true, true])
  await accounts.setEnabled(accountA, false)
  deepEqual(await may(), [false, false, true])
  await rejects(port.authorize(storage, 'kms.secrets.wrap', keyOfA), (fault: Fault) => {
    match(fault.message, /account a+ is disabled/)
    return fault.code === 'forbidden' && fault.explanation?.missingPolicy === undefined
  })
  await accounts.setEnabled(accountA, true)
  deepEqual(await may(), [true, true, true])
  await accounts.setEnabled(accountB, false)
  deepEqual(await may(), [true, false, false])
  await accounts.setEnabled(accountB, true)
  deepEqual(await may(), [true, true, true])
})
