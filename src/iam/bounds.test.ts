import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bounds } from './bounds.ts'
import { equals } from './conditions.ts'
import { decide } from './decide.ts'
import type { PolicyFacts, Request } from './decide.ts'
import type { Decision, KeyPurpose } from './port.ts'
import { scopeOf } from './scope.ts'

const owner = 'a'.repeat(32)
const user = 'b'.repeat(32)
const reader = 'reader'
const roles = new Map([[reader, new Set(['kms.secrets.wrap', 'kms.secrets.unwrap', 'kms.registrations.create'])]])

const policy = (id: string, bounds?: Bounds, more: Partial<PolicyFacts> = {}): PolicyFacts => ({
  id,
  subject: [equals('serviceName', 'server-protect'), equals('accountId', user)],
  resource: [equals('accountId', owner), equals('serviceName', 'kms')],
  roles: [reader],
  ...(bounds && { bounds }),
  ...more,
})

const request = (action: string, keyUse?: KeyPurpose, keyNow = 100): Request => ({
  subject: new Map([
    ['serviceName', 'server-protect'],
    ['accountId', user],
  ]),
  action,
  resource: new Map([
    ['accountId', owner],
    ['serviceName', 'kms'],
    ['resource', 'key'],
  ]),
  keyNow,
  ...(keyUse && { keyUse }),
})

const volume = { purpose: 'create-volume', profile: 'sdp', zone: 'z-1' } as const
const enforce = (bounds: Omit<Bounds, 'mode'>): Bounds => ({ ...bounds, mode: 'enforce' })
const monitor = (bounds: Omit<Bounds, 'mode'>): Bounds => ({ ...bounds, mode: 'monitor' })

test('decide() holds each bound against what the request says, and nothing for granted', () => {
  const cases: readonly (readonly [Omit<Bounds, 'mode'>, string, KeyPurpose | undefined, string | null])[] = [
    [{ expiresAt: 101 }, 'unwrap', undefined, null],
    [{ expiresAt: 100 }, 'unwrap', undefined, 'expires_at'],
    [{ purposes: ['attach'] }, 'unwrap', undefined, null],
    [{ purposes: ['attach'] }, 'wrap', undefined, 'purposes'],
    [{ purposes: ['attach'] }, 'wrap', volume, 'purposes'],
    [{ purposes: ['attach', 'create-volume'] }, 'wrap', volume, null],
    [{ purposes: ['attach', 'create-volume'] }, 'wrap', { purpose: 'create-snapshot' }, 'purposes'],
    [{ profiles: ['sdp'] }, 'wrap', volume, null],
    [{ profiles: ['custom'] }, 'wrap', volume, 'profiles'],
    [{ profiles: ['custom'] }, 'wrap', { purpose: 'create-image' }, null],
    [{ profiles: ['custom'] }, 'wrap', { purpose: 'create-volume' }, 'profiles'],
    [{ profiles: ['custom'] }, 'wrap', undefined, 'profiles'],
    [{ zones: ['z-1'] }, 'wrap', volume, null],
    [{ zones: ['z-2'] }, 'wrap', volume, 'zones'],
    [{ zones: ['z-2'] }, 'unwrap', undefined, null],
  ]
  for (const [bounds, verb, keyUse, passed] of cases) {
    const asked = request(`kms.secrets.${verb}`, keyUse)
    const text = JSON.stringify([bounds, verb, keyUse])
    const decision = decide([policy('p', enforce(bounds))], roles, asked)
    assert.equal(decision.permitted, passed === null, text)
    assert.equal(decision.permitted ? null : (decision.passed?.bound ?? null), passed, text)
    const watched = decide([policy('p', monitor(bounds))], roles, asked)
    assert.ok(watched.permitted, text)
    // To wrap for what is registered next is one use, and noted with the registration.
    const isPrelude = verb === 'wrap' && keyUse !== undefined
    assert.equal(watched.noted?.bound ?? null, isPrelude ? null : passed, text)
  }
})

test('decide() without a clock of keys lets nothing run on that ends', () => {
  const { keyNow: _, ...timeless } = request('kms.secrets.unwrap')
  assert.equal(decide([policy('p', enforce({ expiresAt: 1e15 }))], roles, timeless).permitted, false)
  assert.deepEqual(scopeOf([policy('p', enforce({ expiresAt: 1e15 }))], roles, timeless), [])
})

test('decide() takes the most permissive of several, and names the one that lasts longest', () => {
  const short = policy('1-short', enforce({ expiresAt: 200 }))
  const long = policy('2-long', enforce({ expiresAt: 300 }))
  const over = policy('0-over', enforce({ expiresAt: 50 }))
  const watched = policy('3-watched', monitor({ expiresAt: 50 }))
  const idOf = (...policies: PolicyFacts[]): string | null => {
    const decision = decide(policies, roles, request('kms.secrets.unwrap'))
    return decision.permitted ? decision.policyId : null
  }
  assert.equal(idOf(over, short, long), '2-long')
  assert.equal(idOf(over, short, long, policy('4-free')), '4-free')
  assert.equal(idOf(over, watched), '3-watched')
  assert.equal(idOf(watched, short), '1-short')
  assert.equal(idOf(over), null)
})

test('decide() leaves amounts to whoever counts, with every policy that may have room', () => {
  const three = policy('three', enforce({ maxVolumes: 3 }))
  const gigabytes = policy('gigabytes', monitor({ maxCapacityGb: 10 }))
  const elsewhere = policy('elsewhere', enforce({ maxVolumes: 9, zones: ['z-2'] }))
  const asked = request('kms.registrations.create', volume)
  const decision = decide([elsewhere, three, gigabytes], roles, asked)
  assert.ok(decision.permitted)
  assert.deepEqual(
    decision.allowances?.map(({ policyId, amounts }) => [policyId, amounts[0]?.volumesMax, amounts[0]?.isEnforced]),
    [
      ['three', 3, true],
      ['gigabytes', null, false],
    ],
  )
  const free = decide([three, policy('zone', enforce({ zones: ['z-1'] }))], roles, asked)
  assert.ok(free.permitted && free.policyId === 'zone' && !free.allowances)
  const snapshot = decide([three], roles, request('kms.registrations.create', { purpose: 'create-snapshot' }))
  assert.ok(snapshot.permitted && !snapshot.allowances, 'only volumes are counted')
})

test('what was derived from a bounded authorization is bounded with it', () => {
  const parent = policy('parent', enforce({ expiresAt: 200, maxVolumes: 2 }))
  const child = policy('child', enforce({ maxVolumes: 5 }), {
    under: parent,
    resource: [...parent.resource, equals('resource', 'key')],
  })
  const decision = decide([child], roles, request('kms.registrations.create', volume))
  assert.ok(decision.permitted)
  const amounts = decision.allowances?.[0]?.amounts ?? []
  assert.deepEqual(
    amounts.map(({ policyId, volumesMax }) => [policyId, volumesMax]),
    [
      ['child', 5],
      ['parent', 2],
    ],
  )
  // The parent counts under all that it covers, so that two children do not have twice as much.
  const other = { accountId: owner, serviceName: 'kms', resource: 'other-key' }
  assert.deepEqual(
    amounts.map(({ covers }) => covers(other)),
    [false, true],
  )
  const late = request('kms.secrets.unwrap', undefined, 200)
  assert.equal(decide([child], roles, late).permitted, false)
  assert.deepEqual(scopeOf([child], roles, late), [])
})

const hasRoom = (decision: Decision): boolean =>
  decision.permitted && (decision.allowances ?? [{ amounts: [] }]).some(({ amounts }) => amounts.length === 0)

test('another policy never takes a permission away', () => {
  const all = [
    policy('a'),
    policy('b', enforce({ expiresAt: 50 })),
    policy('c', enforce({ expiresAt: 500, zones: ['z-1'] })),
    policy('d', monitor({ profiles: ['custom'] })),
    policy('e', enforce({ purposes: ['attach'] })),
    policy('f', enforce({ maxVolumes: 1 })),
  ]
  const asked = [
    request('kms.secrets.unwrap'),
    request('kms.secrets.wrap', volume),
    request('kms.registrations.create', volume),
  ]
  const subsets = Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_one, at) => (bits >> at) % 2 === 1))
  for (const policies of subsets) {
    for (const one of asked) {
      const before = decide(policies, roles, one)
      if (!before.permitted) continue
      for (const added of all) {
        for (const more of [
          [added, ...policies],
          [...policies, added],
        ]) {
          const after = decide(more, roles, one)
          assert.ok(after.permitted)
          // Who had room whatever is counted still has.
          if (hasRoom(before)) assert.ok(hasRoom(after))
          else assert.ok(hasRoom(after) || (after.allowances?.length ?? 0) >= (before.allowances?.length ?? 0))
        }
      }
    }
  }
})
