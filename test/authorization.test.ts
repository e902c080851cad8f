// Who may do what, as one table: callers by operations, with the policies that each caller has. test/golden/authorization.txt
// is what a reader, also outside, compares with what they expect. UPDATE_GOLDEN=1 rewrites it; its diff is read in review.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { auditContract } from '#audit/contract.ts'
import type { Contract } from '#base/contract.ts'
import { policyContract } from '#iam/contract.ts'
import type { Subject, Target } from '#iam/port.ts'
import { administrator, delegator, make, platformRole, reader, serviceRole, user } from '#iam/testing/policies.ts'
import { accountA, accountB, makeWorld } from '#iam/testing/world.ts'
import type { World } from '#iam/testing/world.ts'
import { cosContract } from '#cos/contract.ts'
import { kmsContract, ownContract } from '#kms/contract.ts'
import { ledgerContract } from '#ledger/contract.ts'
import { resourcesContract } from '#resources/contract.ts'
import { vpcContract } from '#vpc/contract.ts'

const golden = join(import.meta.dirname, 'golden/authorization.txt')

const keys = { accountId: accountA, serviceName: 'kms' }
const storage = { serviceName: 'server-protect', accountId: accountB }
const buckets = { accountId: accountA, serviceName: 'cloud-object-storage' }
const images = { serviceName: 'is', accountId: accountB, resourceType: 'image' }

interface Row {
  readonly name: string
  readonly subject: Subject
}

const person = (iamId: string, accountId: string) => user(iamId, accountId).caller

async function callers(world: World): Promise<readonly Row[]> {
  const a = await world.owner(accountA)
  const b = await world.owner(accountB)
  const group = await world.iam.accessGroups.create(a, { accountId: accountA, name: 'key users', description: '' })
  await make(world, a, { access_group_id: group.id }, keys, [serviceRole('Writer')])
  await world.iam.groupMembers.add(a, group.id, [{ iamId: 'IBMid-MEMBER', type: 'user' }])
  await make(world, a, { iam_id: 'IBMid-READER' }, keys, [reader])
  await make(world, a, { iam_id: 'IBMid-VIEWER' }, { accountId: accountA, serviceType: 'service' }, [
    platformRole('Viewer'),
  ])
  await make(world, a, { iam_id: 'IBMid-ADMIN' }, keys, [administrator])
  await make(world, a, storage, { ...keys, resourceType: 'key', resource: 'k1' }, [delegator, reader])
  await make(world, a, images, { ...buckets, resourceType: 'bucket', resource: 'b1' }, [reader])
  return [
    { name: "A's owner", subject: a.caller },
    { name: "A's viewer: Viewer on all services", subject: person('IBMid-VIEWER', accountA) },
    { name: "A's key reader: Reader on kms", subject: person('IBMid-READER', accountA) },
    { name: "A's key administrator: Administrator on kms", subject: person('IBMid-ADMIN', accountA) },
    { name: 'member of a group of A: Writer on kms', subject: person('IBMid-MEMBER', accountA) },
    { name: 'somebody of A without policies', subject: person('IBMid-NOBODY', accountA) },
    { name: "B's owner", subject: b.caller },
    {
      name: "B's block storage, authorized: Reader and Authorization Delegator on key k1",
      subject: { kind: 'service', ...storage },
    },
    { name: "B's images, authorized: Reader on bucket b1", subject: { kind: 'service', ...images } },
  ]
}

/** What each service's operations are done on: something of account A. */
const targets: Readonly<Record<string, Target>> = {
  'kms, key k1': { ...keys, serviceInstance: 'i1', resourceType: 'key', resource: 'k1', keyRing: 'default' },
  'kms, key k2': { ...keys, serviceInstance: 'i1', resourceType: 'key', resource: 'k2', keyRing: 'default' },
  'object storage, bucket b1': { ...buckets, serviceInstance: 'i1', resourceType: 'bucket', resource: 'b1' },
  'object storage, bucket b2': { ...buckets, serviceInstance: 'i1', resourceType: 'bucket', resource: 'b2' },
  'VPC, volume v1': { accountId: accountA, serviceName: 'is', resourceType: 'volume', resource: 'v1' },
  'instances of kms': { ...keys, serviceInstance: 'i1' },
  'credentials of kms': { ...keys, serviceInstance: 'i1' },
  'resource groups': {
    accountId: accountA,
    serviceName: 'resource-controller',
    resourceType: 'resource-group',
    resource: 'g1',
  },
  'policies that cover kms': keys,
  'access management': { accountId: accountA, serviceName: 'iam-access-management' },
  'access groups': { accountId: accountA, serviceName: 'iam-groups' },
  'what an account sees of itself': { accountId: accountA, serviceName: 'keyward' },
}

const actionsOf = (...contracts: readonly Contract[]): readonly string[] => [
  ...new Set(contracts.flatMap((contract) => Object.values(contract).flatMap(({ action }) => action ?? []))),
]

function actionsFor(target: string): readonly string[] {
  if (target.startsWith('what an account')) {
    return actionsOf(auditContract, ledgerContract, ownContract).filter((action) => action.startsWith('keyward.'))
  }
  if (target.startsWith('kms')) return actionsOf(kmsContract)
  if (target.startsWith('object storage')) return actionsOf(cosContract)
  if (target.startsWith('VPC'))
    return actionsOf(vpcContract).filter((action) => !/\.(region|zone|volume-profile)\./.test(action))
  const prefix = {
    'instances of kms': 'resource-controller.instance.',
    'credentials of kms': 'resource-controller.credential.',
    'resource groups': 'resource-controller.group.',
  }
  if (target in prefix) {
    const [, wanted = ''] = Object.entries(prefix).find(([name]) => name === target) ?? []
    return actionsOf(resourcesContract).filter((action) => action.startsWith(wanted))
  }
  const ofPolicies = (action: string) => action.startsWith('iam.policy.')
  if (target === 'policies that cover kms') return actionsOf(policyContract).filter(ofPolicies)
  const isGroup = target === 'access groups'
  return actionsOf(policyContract).filter((action) => action.startsWith('iam-groups.') === isGroup)
}

async function table(world: World): Promise<string> {
  const rows = await callers(world)
  const lines = [
    'Who may do what with the things of account A. Columns are callers, and what they were granted in A.',
    'y: permitted; -: refused. A service acts for its account; a person may be of either account.',
    '',
    ...rows.map(({ name }, at) => `  ${at + 1}  ${name}`),
  ]
  for (const [name, target] of Object.entries(targets)) {
    const actions = actionsFor(name).toSorted()
    lines.push('', `${name.padEnd(52)}${rows.map((_, at) => ` ${at + 1}`).join('')}`)
    for (const action of actions) {
      const answers: string[] = []
      for (const { subject } of rows) {
        answers.push((await world.iam.port.decide(subject, action, target)).permitted ? 'y' : '-')
      }
      lines.push(`  ${action.padEnd(50)} ${answers.join(' ')}`)
    }
  }
  return `${lines.join('\n')}\n`
}

test('who may do what is what the golden table says; UPDATE_GOLDEN=1 rewrites it', async () => {
  await using world = await makeWorld()
  const text = await table(world)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text)
  assert.equal(text, readFileSync(golden, 'utf8'))
})
