import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { hashApiKey, makeApiKey } from './api-key.ts'
import { accountA, accountB, apiKeyOf, makeWorld, seededRandom } from './testing/world.ts'

test('createAccount() makes one account with all its events, however often it is repeated', async () => {
  await using world = await makeWorld()
  const events = () =>
    world.database.reads
      .selectFrom('event_outbox')
      .select('type')
      .where('account_id', '=', accountA)
      .orderBy('seq')
      .execute()
  const account = { accountId: accountA, name: 'a', apiKey: apiKeyOf(accountA) }
  const [first, second] = [
    await world.iam.accounts.createAccount(account),
    await world.iam.accounts.createAccount(account),
  ]
  deepEqual(first, second)
  deepEqual(
    (await events()).map((event) => event.type),
    ['iam.account.created', 'iam.api-key.created', 'iam.policy.created', 'iam.policy.created'],
  )
})

test('createAccount() does not give an account, or a key, to somebody else', async () => {
  await using world = await makeWorld()
  const { createAccount } = world.iam.accounts
  await rejects(createAccount({ accountId: accountA, name: 'a', apiKey: makeApiKey(world.random) }), {
    code: 'conflict',
  })
  await rejects(createAccount({ accountId: 'c'.repeat(32), name: 'c', apiKey: apiKeyOf(accountA) }), {
    code: 'conflict',
  })
  await rejects(createAccount({ accountId: 'c', name: 'c', apiKey: makeApiKey(world.random) }), { code: 'invalid' })
  await rejects(createAccount({ accountId: 'c'.repeat(32), name: 'c', apiKey: 'short' }), { code: 'invalid' })
  equal(await world.iam.port.hasAccount('c'.repeat(32)), false)
  equal(await world.iam.port.hasAccount(accountB), true)
})

test('the owner may do everything in the own account and nothing in another', async () => {
  await using world = await makeWorld()
  const { caller } = await world.owner(accountA)
  const actions = [
    ['is.volume.volume.create', 'is'],
    ['kms.secrets.disable', 'kms'],
    ['iam.policy.create', 'iam-access-management'],
    ['resource-controller.instance.create', 'kms'],
    ['resource-controller.group.retrieve', 'resource-controller'],
  ] as const
  for (const [action, serviceName] of actions) {
    equal((await world.iam.port.decide(caller, action, { accountId: accountA, serviceName })).permitted, true, action)
    equal((await world.iam.port.decide(caller, action, { accountId: accountB, serviceName })).permitted, false, action)
  }
})

test('makeApiKey() makes 44 characters, and hashes differ', () => {
  const random = seededRandom('keys')
  const [one, other] = [makeApiKey(random), makeApiKey(random)]
  equal(one.length, 44)
  equal(hashApiKey(one) === hashApiKey(other), false)
})
