import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose'
import { accessTokenMs, clockSkewMs } from '#base/limits.ts'
import type { Fault } from '#base/fault.ts'
import type { Tx } from '#store/database.ts'
import { clientIdOf } from './client-id.ts'
import { makeRecent } from './recent.ts'
import { accountA, accountB, apiKeyOf, login, makeWorld } from './testing/world.ts'

const unauthenticated = (fault: Fault) => fault.code === 'unauthenticated'

test('issue() writes the claims that clients read', async () => {
  await using world = await makeWorld()
  const token = await login(world.iam, apiKeyOf(accountA))
  const { kid, alg } = decodeProtectedHeader(token)
  equal(alg, 'RS256')
  deepEqual(
    (await world.iam.tokens.publicJwks()).map((jwk) => jwk.kid),
    [kid],
  )
  const { iam_id: iamId, jti, apikey_id, ...claims } = decodeJwt(token)
  const now = world.clock.now() / 1000
  const email = `owner@${accountA}.invalid`
  const person = { sub: email, name: 'Owner a', given_name: 'Owner', family_name: 'a', email }
  ok(typeof iamId === 'string' && /^IBMid-[0-9A-Z]{10}$/.test(iamId))
  ok(typeof apikey_id === 'string' && apikey_id.startsWith('ApiKey-'))
  ok(jti)
  deepEqual(claims, {
    ...person,
    id: iamId,
    realmid: 'IBMid',
    identifier: iamId.slice('IBMid-'.length),
    account: { valid: true, bss: accountA, frozen: true },
    authn: { ...person, iam_id: iamId },
    iat: now,
    exp: now + 3600,
    iss: 'https://iam.cloud.ibm.com/identity',
    grant_type: 'urn:ibm:params:oauth:grant-type:apikey',
    scope: 'ibm openid',
    client_id: 'default',
    acr: 1,
    amr: ['pwd'],
  })
  const caller = await world.iam.port.authenticate(token)
  deepEqual(caller, { iamId, accountId: accountA, kind: 'user', name: email, personId: iamId })
})

test('a token ends with its hour and the skew, remembered or not', async () => {
  await using world = await makeWorld()
  const [used, unused] = [await login(world.iam, apiKeyOf(accountA)), await login(world.iam, apiKeyOf(accountB))]
  await world.iam.port.authenticate(used)
  world.clock.advance(accessTokenMs + clockSkewMs - 1)
  await world.iam.port.authenticate(used)
  world.clock.advance(1)
  await rejects(world.iam.port.authenticate(used), { code: 'unauthenticated', message: 'the token has expired' })
  await rejects(world.iam.port.authenticate(unused), { code: 'unauthenticated', message: 'the token has expired' })
})

test('a token of another making is refused in one sentence', async () => {
  await using world = await makeWorld()
  const token = await login(world.iam, apiKeyOf(accountA))
  const [header = '', payload = '', signature = ''] = token.split('.')
  const forged = Buffer.from(payload, 'base64url').toString().replaceAll(accountA, accountB)
  const { privateKey } = await generateKeyPair('RS256')
  const other = await new SignJWT(decodeJwt(token))
    .setProtectedHeader({ alg: 'RS256', kid: (await world.iam.tokens.publicJwks())[0]?.kid ?? '' })
    .sign(privateKey)
  const strangers = [
    '',
    'abc',
    `${header}.${payload}.`,
    `${header}.${Buffer.from(forged).toString('base64url')}.${signature}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
    `${Buffer.from('{"alg":"RS256","kid":"nobody"}').toString('base64url')}.${payload}.${signature}`,
    other,
  ]
  const messages = new Set<string>()
  for (const stranger of strangers) {
    await rejects(world.iam.port.authenticate(stranger), (fault: Fault) => {
      messages.add(fault.message)
      return unauthenticated(fault)
    })
  }
  equal(messages.size, 1)
})

test('every flipped bit of a signature makes it no signature', async () => {
  await using world = await makeWorld()
  const token = await login(world.iam, apiKeyOf(accountA))
  const at = token.lastIndexOf('.') + 1
  const signature = Buffer.from(token.slice(at), 'base64url')
  for (let bit = 0; bit < signature.length * 8; bit += 7) {
    const changed = Buffer.from(signature)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await rejects(world.iam.port.authenticate(token.slice(0, at) + changed.toString('base64url')), unauthenticated)
  }
})

for (const [what, disable] of [
  ['key', (db) => db.updateTable('iam_api_key').set({ disabled: 1 }).where('account_id', '=', accountA).execute()],
  [
    'identity',
    (db) => db.updateTable('iam_identity').set({ state: 'disabled' }).where('account_id', '=', accountA).execute(),
  ],
  ['account', (db) => db.updateTable('iam_account').set({ state: 'disabled' }).where('id', '=', accountA).execute()],
  ['missing key', (db) => db.deleteFrom('iam_api_key').where('account_id', '=', accountA).execute()],
] satisfies [string, (tx: Tx) => Promise<unknown>][]) {
  test(`a disabled ${what} is out at the next request and cannot come back in`, async () => {
    await using world = await makeWorld()
    const token = await login(world.iam, apiKeyOf(accountA))
    await world.iam.port.authenticate(token)
    await world.database.transaction<unknown>(disable)
    await rejects(world.iam.port.authenticate(token), unauthenticated)
    await rejects(login(world.iam, apiKeyOf(accountA)), { reason: 'BXNIM0415E' })
    await world.iam.port.authenticate(await login(world.iam, apiKeyOf(accountB)))
  })
}

test('a restart finds the signing key again: old tokens hold', async () => {
  await using world = await makeWorld()
  const token = await login(world.iam, apiKeyOf(accountA))
  const again = await world.restart()
  deepEqual(await again.tokens.publicJwks(), await world.iam.tokens.publicJwks())
  equal((await again.port.authenticate(token)).accountId, accountA)
  equal((await world.iam.port.authenticate(await login(again, apiKeyOf(accountB)))).accountId, accountB)
})

test('a sealed key that was moved to another row does not open', async () => {
  await using world = await makeWorld()
  const kid = 'moved'
  await world.database.transaction((tx) => tx.updateTable('iam_signing_key').set({ kid }).execute())
  await rejects(world.restart(), { code: 'unprocessable' })
})

test('the database holds neither API keys nor private keys in the open', async () => {
  await using world = await makeWorld()
  const keys = await world.database.reads.selectFrom('iam_api_key').selectAll().execute()
  ok(!JSON.stringify(keys).includes('key-of-'))
  const [signing] = await world.database.reads.selectFrom('iam_signing_key').selectAll().execute()
  ok(signing)
  notEqual(JSON.parse(signing.public_jwk).d, '')
  equal(JSON.parse(signing.public_jwk).d, undefined)
})

test('clientIdOf() reads public clients and nothing else', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  equal(clientIdOf(basic('bx:bx')), 'bx')
  equal(clientIdOf(basic('kube:kube')), 'kube')
  equal(clientIdOf(undefined), null)
  equal(clientIdOf('Bearer abc'), null)
  equal(clientIdOf(basic('a b\n:x')), null)
})

test('makeRecent() forgets what was used longest ago', () => {
  const recent = makeRecent<number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  equal(recent.get('a'), 1)
  recent.set('c', 3)
  deepEqual([recent.get('a'), recent.get('b'), recent.get('c'), recent.size], [1, undefined, 3, 2])
})
