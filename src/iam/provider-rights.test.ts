import assert from 'node:assert/strict'
import { test } from 'node:test'
import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import type { Subject, Target } from './port.ts'
import { isProviderRight } from './provider-rights.ts'

const [accountB, accountC] = ['b'.repeat(32), 'c'.repeat(32)]
const storage = { kind: 'service', serviceName: 'server-protect', accountId: accountB } as const
const keyOfB: Target = {
  accountId: providerAccountId,
  serviceName: 'kms',
  serviceInstance: providerInstanceId(accountB),
}

test('block storage uses the provider key of its account, and nobody anything else', () => {
  assert.equal(isProviderRight(storage, 'kms.secrets.wrap', keyOfB), true)
  const user = {
    iamId: 'IBMid-1',
    accountId: accountB,
    kind: 'service',
    name: 'b',
    serviceName: 'server-protect',
  } as const
  const others: readonly [string, Subject, string, Target][] = [
    ['a user', user, 'kms.secrets.wrap', keyOfB],
    ['another service', { ...storage, serviceName: 'is' }, 'kms.secrets.wrap', keyOfB],
    ['block storage of another account', { ...storage, accountId: accountC }, 'kms.secrets.wrap', keyOfB],
    ['another action', storage, 'kms.secrets.delete', keyOfB],
    ['another instance', storage, 'kms.secrets.wrap', { ...keyOfB, serviceInstance: providerInstanceId(accountC) }],
    ['no instance', storage, 'kms.secrets.wrap', { accountId: providerAccountId, serviceName: 'kms' }],
    ['a tenant', storage, 'kms.secrets.wrap', { ...keyOfB, accountId: accountB }],
  ]
  for (const [who, subject, action, target] of others)
    assert.equal(isProviderRight(subject, action, target), false, who)
})
