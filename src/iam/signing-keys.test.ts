import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import { accessTokenMs, clockSkewMs, signingKeyLeadMs, signingKeyRotationMs, signingKeysReadMs } from '#base/limits.ts'
import { isRotationDue, signerOf, verifyingOf } from './signing-key-order.ts'
import { tokenFor } from './testing/identity-world.ts'
import { accountA, apiKeyOf, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const issue = async (world: World) => (await tokenFor(world, apiKeyOf(accountA))).accessToken
const kidOf = (token: string) => decodeProtectedHeader(token).kid
const published = async (world: World) => (await world.iam.tokens.publicJwks()).map((jwk) => jwk.kid)
const tokensEndMs = accessTokenMs + 2 * clockSkewMs

test('a new key is published before it signs, and the old one verifies until its last token has ended', async () => {
  await using world = await makeWorld()
  const { signingKeys } = world.iam
  const old = kidOf(await issue(world))
  const fresh = await signingKeys.rotate('operator')
  equal(fresh.state, 'published')
  deepEqual(await published(world), [fresh.kid, old])
  world.clock.advance(signingKeyLeadMs - 1)
  const last = await issue(world)
  equal(kidOf(last), old)
  world.clock.advance(1)
  equal(kidOf(await issue(world)), fresh.kid)
  world.clock.advance(accessTokenMs - 2)
  equal((await world.iam.port.authenticate(last)).accountId, accountA)
  world.clock.advance(3 + 2 * clockSkewMs)
  deepEqual(await published(world), [fresh.kid])
  await signingKeys.follow()
  const rows = await world.database.reads.selectFrom('iam_signing_key').select('kid').execute()
  deepEqual(
    rows.map((row) => row.kid),
    [fresh.kid],
  )
})

test('rotate() refuses while a key waits, so that nobody waits for a hundred', async () => {
  await using world = await makeWorld()
  await world.iam.signingKeys.rotate('operator')
  await rejects(world.iam.signingKeys.rotate('operator'), { code: 'conflict' })
  world.clock.advance(signingKeyLeadMs)
  await world.iam.signingKeys.rotate('operator')
})

test('follow() makes a key when one is due, and only then', async () => {
  await using world = await makeWorld()
  world.clock.advance(signingKeyRotationMs - 1)
  await world.iam.signingKeys.follow()
  equal((await published(world)).length, 1)
  world.clock.advance(1)
  await world.iam.signingKeys.follow()
  await world.iam.signingKeys.follow()
  equal((await published(world)).length, 2)
  const events = await world.database.reads
    .selectFrom('event_outbox')
    .select('type')
    .where('type', '=', 'iam.signing-key.created')
    .execute()
  equal(events.length, 2)
})

test('a replica verifies with a key that it has not seen, and signs with it when its time has come', async () => {
  await using world = await makeWorld()
  const replica = await world.restart()
  const { kid } = await world.iam.signingKeys.rotate('operator')
  ok((await replica.tokens.publicJwks()).some((jwk) => jwk.kid === kid))
  const third = await world.restart()
  world.clock.advance(signingKeyLeadMs + signingKeysReadMs)
  const token = await issue(world)
  equal(kidOf(token), kid)
  equal((await third.port.authenticate(token)).accountId, accountA)
  const request = { grantType: 'urn:ibm:params:oauth:grant-type:apikey', apiKey: apiKeyOf(accountA), clientId: null }
  equal(kidOf((await replica.tokens.issue(request)).accessToken), kid)
})

test('unknown key ids do not make everybody read the table again and again', async () => {
  await using world = await makeWorld()
  const token = await issue(world)
  const header = Buffer.from('{"alg":"RS256","kid":"nobody"}').toString('base64url')
  const forged = [header, ...token.split('.').slice(1)].join('.')
  let reads = 0
  const { reads: real } = world.database
  const counted = new Proxy(real, {
    get: (target, name) => {
      if (name === 'selectFrom') reads++
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  Object.assign(world.database, { reads: counted })
  for (let n = 0; n < 20; n++) await rejects(world.iam.port.authenticate(forged), { code: 'unauthenticated' })
  ok(reads <= 1, `${reads} reads`)
})

test('two replicas that start on an empty table have one key between them', async () => {
  await using world = await makeWorld()
  await world.database.transaction((tx) => tx.deleteFrom('iam_signing_key').execute())
  const [one, other] = await Promise.all([world.restart(), world.restart()])
  deepEqual(await one.tokens.publicJwks(), await other.tokens.publicJwks())
  equal((await one.tokens.publicJwks()).length, 1)
})

test('which key signs and which verify is decided by their times alone', () => {
  const rows = [300, 200, 100].map((minute) => ({ signs_from: minute * 60_000 }))
  const at = (minute: number) => minute * 60_000
  equal(signerOf(rows, at(250)), rows[1])
  equal(signerOf(rows, at(50)), rows[2])
  equal(signerOf([], 0), undefined)
  deepEqual(verifyingOf(rows, at(200) + tokensEndMs), rows)
  deepEqual(verifyingOf(rows, at(200) + tokensEndMs + 1), rows.slice(0, 2))
  deepEqual(verifyingOf(rows, at(400)), rows.slice(0, 1))
  equal(isRotationDue(rows, at(300) + signingKeyRotationMs), true)
  equal(isRotationDue(rows, at(300) + signingKeyRotationMs - 1), false)
})

test('the list of keys says what each does', async () => {
  await using world = await makeWorld()
  const { signingKeys } = world.iam
  await signingKeys.rotate('operator')
  deepEqual(
    (await signingKeys.list()).map((key) => key.state),
    ['published', 'signing'],
  )
  world.clock.advance(signingKeyLeadMs)
  const states = await signingKeys.list()
  deepEqual(
    states.map((key) => key.state),
    ['signing', 'verifying'],
  )
  notEqual(states[0]?.kid, states[1]?.kid)
})
