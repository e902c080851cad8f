import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import {
  loginFailuresPerKeyMax,
  loginFailuresPerSourceMax,
  loginFailuresRemembered,
  loginFailureWindowMs,
} from '#base/limits.ts'
import { allowsAddress, parseAllowedAddresses } from './allowed-addresses.ts'
import { serveIdentities, tokenFor } from './testing/identity-world.ts'
import { accountA, apiKeyOf, makeWorld } from './testing/world.ts'
import { makeThrottle, sourceOf } from './throttle.ts'

const keyA = apiKeyOf(accountA)
const guess = (n: number) => `${String(n).padStart(8, '0')}-is-not-a-key-of-anybody-here`

test('a source that fails too often waits, whatever it shows; others do not', async () => {
  await using world = await makeWorld()
  const from = (remoteAddress: string) => ({ remoteAddress })
  for (let n = 0; n < loginFailuresPerSourceMax; n++) {
    await rejects(tokenFor(world, guess(n), from('192.0.2.1')), { reason: 'BXNIM0415E' })
  }
  world.clock.advance(20_000)
  await rejects(tokenFor(world, keyA, from('192.0.2.1')), { code: 'over_limit', retryAfterSeconds: 40 })
  await tokenFor(world, keyA, from('192.0.2.2'))
  world.clock.advance(loginFailureWindowMs - 20_000)
  await tokenFor(world, keyA, from('192.0.2.1'))
})

test('a key that has gone is answered with a wait when it is shown again and again; one that exists never is', async () => {
  await using world = await makeWorld()
  const gone = `${keyA.slice(0, 8)}-but-not-the-rest-of-the-key-itself`
  for (let n = 0; n < loginFailuresPerKeyMax; n++) {
    await rejects(tokenFor(world, gone, { remoteAddress: `192.0.2.${n}` }), { code: 'invalid' })
  }
  await rejects(tokenFor(world, gone, { remoteAddress: '192.0.2.200' }), { code: 'over_limit' })
  await tokenFor(world, keyA, { remoteAddress: '192.0.2.201' })
})

test('the wait is told in Retry-After', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world)
  const form = { grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: guess(1) }
  for (let n = 0; n < loginFailuresPerKeyMax; n++) equal((await ask('/identity/token', { form })).status, 400)
  world.clock.advance(1500)
  const refused = await ask('/identity/token', { form })
  deepEqual([refused.status, refused.headers['retry-after']], [429, '59'])
  match(refused.body.errorMessage, /^too many logins failed/)
})

test('behind a proxy that is trusted it is the client that waits; nobody else is believed', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world, [], ['127.0.0.1', '10.0.0.0/8'])
  const login = async (apikey: string, client: string, from: string) => {
    const form = { grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey }
    return (await ask('/identity/token', { form, from, headers: { 'x-forwarded-for': client } })).status
  }
  for (let n = 0; n < loginFailuresPerSourceMax; n++) equal(await login(guess(n), '192.0.2.1', '10.1.2.3'), 400)
  equal(await login(keyA, '192.0.2.1', '127.0.0.1'), 429)
  equal(await login(keyA, '192.0.2.2', '127.0.0.1'), 200)
  equal(await login(keyA, '192.0.2.2', '192.0.2.1'), 429)
  equal(await login(keyA, '192.0.2.1', '198.51.100.1'), 200)
})

test('what is remembered is bounded, and the longest unused is forgotten', () => {
  const throttle = makeThrottle({ now: () => 0, monotonicMs: () => 0, after: () => () => {} })
  const fault = new Fault('invalid', 'no')
  for (let n = 0; n < loginFailuresPerSourceMax; n++)
    throttle.failed({ apiKey: guess(n), remoteAddress: 'first' }, fault)
  throws(() => throttle.check('first'), { code: 'over_limit' })
  for (let n = 0; n < loginFailuresRemembered; n++) {
    throttle.failed({ apiKey: guess(n), remoteAddress: `other-${n}` }, fault)
  }
  throttle.check('first')
})

test('sourceOf() takes an IPv6 network of 64 bits for one source', () => {
  equal(sourceOf('192.0.2.1'), '192.0.2.1')
  equal(sourceOf('::ffff:192.0.2.1'), '::ffff:192.0.2.1')
  equal(sourceOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  equal(sourceOf('2001:db8::1'), '2001:db8:0:0')
  equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0')
  equal(sourceOf('::1'), '0:0:0:0')
})

test('parseAllowedAddresses() reads addresses, networks and ranges, and refuses the rest', () => {
  const list = parseAllowedAddresses('192.0.2.7, 198.51.100.0/24 203.0.113.1-203.0.113.9,2001:db8::/32')
  const inside = ['192.0.2.7', '198.51.100.200', '203.0.113.5', '2001:db8:1::5', '::ffff:192.0.2.7']
  for (const address of inside) ok(allowsAddress(list, address), address)
  const outside = ['192.0.2.8', '198.51.101.1', '203.0.113.10', '2001:db9::1', '', 'nonsense', '::ffff:192.0.2.8']
  for (const address of outside) ok(!allowsAddress(list, address), address)
  const wrong = ['nonsense', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.9-10.0.0.1', '10.0.0.1-::1', '300.1.1.1', '::1/129']
  for (const text of wrong) throws(() => parseAllowedAddresses(text), { code: 'invalid' }, text)
})
