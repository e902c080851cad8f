import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { delegatedRefreshTokenMs, refreshTokenMs, refreshTokensPerApiKeyMax } from '#base/limits.ts'
import { contextFor, makeServiceId, tokenFor } from './testing/identity-world.ts'
import { accountA, accountB, apiKeyOf, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'
import { grantTypes } from './token-grants.ts'

const keyA = apiKeyOf(accountA)
const volumes = (accountId: string, instance = '') =>
  `crn:v1:bluemix:public:server-protect:us-south:a/${accountId}:${instance}::`

async function makeProfile(
  world: World,
  accountId: string,
  identities: Parameters<World['iam']['profileIdentities']['put']>[3][],
) {
  const context = await world.owner(accountId)
  const row = await world.iam.profiles.create(context, { accountId, name: 'reader of keys' })
  const id = row.iam_id.replace(/^iam-/, '')
  for (const identity of identities) await world.iam.profileIdentities.put(context, id, identity.type, identity)
  return { context, id, iamId: row.iam_id }
}

test('a client with a name receives a refresh token, and with it further tokens for 72 hours', async () => {
  await using world = await makeWorld()
  const { issue } = world.iam.tokens
  const first = await tokenFor(world, keyA, { clientId: 'bx' })
  ok(first.refreshToken)
  equal((await tokenFor(world, keyA)).refreshToken, null)
  const again = { grantType: grantTypes.refreshToken, refreshToken: first.refreshToken, clientId: 'bx' }
  world.clock.advance(refreshTokenMs - 1)
  const second = await issue(again)
  equal(second.refreshToken, first.refreshToken)
  equal(decodeJwt(second.accessToken)['grant_type'], 'refresh_token')
  equal((await world.iam.port.authenticate(second.accessToken)).accountId, accountA)
  world.clock.advance(1)
  await rejects(issue(again), { code: 'unauthenticated' })
})

test('a refresh token is good for the client it was given to, and nobody else, in one sentence', async () => {
  await using world = await makeWorld()
  const { refreshToken } = await tokenFor(world, keyA, { clientId: 'bx' })
  const grantType = grantTypes.refreshToken
  const wrong = [
    { grantType, refreshToken: refreshToken ?? '', clientId: 'kube' },
    { grantType, refreshToken: refreshToken ?? '', clientId: null },
    { grantType, refreshToken: 'not-one', clientId: 'bx' },
    { grantType: grantTypes.delegatedRefreshToken, refreshToken: refreshToken ?? '', clientId: 'bx' },
  ]
  for (const request of wrong) {
    await rejects(world.iam.tokens.issue(request), {
      code: 'unauthenticated',
      message: 'the refresh token is unknown, has ended, or was given to another client',
    })
  }
})

test('a refresh token ends with its API key', async () => {
  await using world = await makeWorld()
  const { context, apiKey, keyId } = await makeServiceId(world, accountA)
  const { refreshToken } = await tokenFor(world, apiKey, { clientId: 'bx' })
  const again = { grantType: grantTypes.refreshToken, refreshToken: refreshToken ?? '', clientId: 'bx' }
  await world.iam.apiKeys.setDisabled(context, keyId, true)
  await rejects(world.iam.tokens.issue(again), { code: 'unauthenticated' })
  await world.iam.apiKeys.setDisabled(context, keyId, false)
  await world.iam.tokens.issue(again)
  await world.iam.apiKeys.delete(context, keyId)
  await rejects(world.iam.tokens.issue(again), { code: 'unauthenticated' })
  deepEqual(await world.database.reads.selectFrom('iam_refresh_token').selectAll().execute(), [])
})

test('refresh tokens are kept as hashes, and not more of them than a key may have', async () => {
  await using world = await makeWorld()
  const { refreshToken: first } = await tokenFor(world, keyA, { clientId: 'bx' })
  for (let made = 0; made < refreshTokensPerApiKeyMax; made++) {
    world.clock.advance(1)
    await tokenFor(world, keyA, { clientId: 'bx' })
  }
  const rows = await world.database.reads.selectFrom('iam_refresh_token').selectAll().execute()
  equal(rows.length, refreshTokensPerApiKeyMax)
  ok(rows.every((row) => /^[0-9a-f]{64}$/.test(row.hash)))
  const again = { grantType: grantTypes.refreshToken, refreshToken: first ?? '', clientId: 'bx' }
  await rejects(world.iam.tokens.issue(again), { code: 'unauthenticated' })
})

test('a delegated refresh token is good for the clients it was meant for', async () => {
  await using world = await makeWorld()
  const delegate = { responseType: 'cloud_iam delegated_refresh_token', receiverClientIds: 'vol backup' }
  const made = await tokenFor(world, keyA, delegate)
  ok(made.delegatedRefreshToken)
  equal(made.refreshToken, null)
  const grantType = grantTypes.delegatedRefreshToken
  const use = (clientId: string) =>
    world.iam.tokens.issue({ grantType, refreshToken: made.delegatedRefreshToken ?? '', clientId })
  const used = await use('backup')
  deepEqual([used.refreshToken, decodeJwt(used.accessToken)['client_id']], [null, 'backup'])
  await rejects(use('bx'), { code: 'unauthenticated' })
  world.clock.advance(delegatedRefreshTokenMs)
  await rejects(use('backup'), { code: 'unauthenticated' })
  const short = await tokenFor(world, keyA, { ...delegate, delegatedSeconds: 60 })
  world.clock.advance(60_000)
  const late = { grantType, refreshToken: short.delegatedRefreshToken ?? '', clientId: 'vol' }
  await rejects(world.iam.tokens.issue(late), { code: 'unauthenticated' })
  await rejects(tokenFor(world, keyA, { responseType: 'delegated_refresh_token' }), { reason: 'BXNIM0102E' })
})

test('whoever a profile lets in may assume it: by id, CRN, or name and account', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const profile = await makeProfile(world, accountA, [{ type: 'serviceid', identifier: robot.id }])
  const { accessToken } = await tokenFor(world, robot.apiKey)
  const crn = `crn:v1:bluemix:public:iam-identity::a/${accountA}::profile:${profile.id}`
  const ways = [{ profileId: profile.id }, { profileCrn: crn }, { profileName: 'reader of keys', account: accountA }]
  for (const way of ways) {
    const issued = await world.iam.tokens.issue({ grantType: grantTypes.assume, accessToken, clientId: null, ...way })
    const { jti, iat, exp, apikey_id, ...claims } = decodeJwt(issued.accessToken)
    ok(jti && iat && exp && apikey_id)
    deepEqual(claims, {
      sub: profile.id,
      iam_id: profile.iamId,
      sub_type: 'Profile',
      name: 'reader of keys',
      id: profile.iamId,
      realmid: 'iam',
      identifier: profile.id,
      account: { valid: true, bss: accountA, frozen: true },
      authn: { sub: robot.id, iam_id: robot.iamId, sub_type: 'ServiceId', name: 'robot' },
      iss: 'https://iam.cloud.ibm.com/identity',
      grant_type: grantTypes.assume,
      scope: 'ibm openid',
      client_id: 'default',
      acr: 1,
      amr: ['pwd'],
    })
    const caller = await world.iam.port.authenticate(issued.accessToken)
    const personId = robot.iamId
    deepEqual(caller, { iamId: profile.iamId, accountId: accountA, kind: 'profile', name: 'reader of keys', personId })
  }
})

test('a profile of another account is assumed across accounts; whom it does not let in learns nothing of it', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountB)
  const profile = await makeProfile(world, accountA, [{ type: 'serviceid', identifier: robot.iamId }])
  const assume = async (apiKey: string, profileId: string) => {
    const { accessToken } = await tokenFor(world, apiKey)
    return await world.iam.tokens.issue({ grantType: grantTypes.assume, accessToken, profileId, clientId: null })
  }
  const { accessToken } = await assume(robot.apiKey, profile.id)
  equal((await world.iam.port.authenticate(accessToken)).accountId, accountA)
  const messages = new Set<string>()
  for (const id of [profile.id, 'Profile-00000000-0000-4000-8000-000000000000']) {
    await rejects(assume(apiKeyOf(accountB), id), (fault: Error) => Boolean(messages.add(fault.message)))
  }
  equal(messages.size, 1)
})

test('a user assumes from the accounts that the profile names, or from its own', async () => {
  await using world = await makeWorld()
  const user = (await world.owner(accountB)).caller.iamId
  const assume = async (profileId: string) => {
    const { accessToken } = await tokenFor(world, apiKeyOf(accountB))
    return await world.iam.tokens.issue({ grantType: grantTypes.assume, accessToken, profileId, clientId: null })
  }
  const profile = await makeProfile(world, accountA, [{ type: 'user', identifier: user }])
  await rejects(assume(profile.id), { code: 'forbidden' })
  const { context, id } = profile
  await world.iam.profileIdentities.put(context, id, 'user', { type: 'user', identifier: user, accounts: [accountB] })
  await assume(id)
})

test('a profile does not climb to another profile', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const profile = await makeProfile(world, accountA, [{ type: 'serviceid', identifier: robot.id }])
  const grantType = grantTypes.assume
  const { accessToken } = await tokenFor(world, robot.apiKey)
  const assumed = await world.iam.tokens.issue({ grantType, accessToken, profileId: profile.id, clientId: null })
  const again = { grantType, accessToken: assumed.accessToken, profileId: profile.id, clientId: null }
  await rejects(world.iam.tokens.issue(again), { code: 'forbidden' })
})

test('a service speaks for its resources, for half an hour, and for nobody else', async () => {
  await using world = await makeWorld()
  const service = await world.iam.tokens.issueToService(volumes(accountB))
  const volume = `crn:v1:bluemix:public:server-protect:us-south:a/${accountB}::volume:r014-1`
  const ask = (accessToken: string, crn: string) =>
    world.iam.tokens.issue({ grantType: grantTypes.iamAuthz, accessToken, desiredIamId: `crn-${crn}`, clientId: null })
  const issued = await ask(service.accessToken, volume)
  equal(issued.lifetimeSeconds, 1800)
  const { jti, iat, exp, ...claims } = decodeJwt(issued.accessToken)
  ok(jti && iat && exp)
  deepEqual(claims, {
    sub: volume,
    iam_id: `crn-${volume}`,
    sub_type: 'CRN',
    id: `crn-${volume}`,
    realmid: 'crn',
    identifier: volume,
    account: { valid: true, bss: accountB },
    authn: { sub: volumes(accountB), iam_id: `crn-${volumes(accountB)}`, sub_type: 'CRN' },
    iss: 'https://iam.cloud.ibm.com/identity',
    grant_type: grantTypes.iamAuthz,
    scope: 'ibm openid',
    client_id: 'default',
    acr: 0,
    amr: [],
  })
  equal((await world.iam.port.authenticate(issued.accessToken)).kind, 'service')
  const elsewhere = [volumes(accountA), `crn:v1:bluemix:public:kms:us-south:a/${accountB}:x::`, 'nonsense', '']
  for (const crn of elsewhere) await rejects(ask(service.accessToken, crn), { code: 'forbidden' })
  // Neither the account's owner nor a service id that says it belongs to the service becomes the service.
  const context = await world.owner(accountB)
  const wanted = {
    accountId: accountB,
    name: 'bound',
    locked: false,
    apiKey: { name: 'k' },
    uniqueInstanceCrns: [volumes(accountB)],
  }
  const { apiKey } = await world.iam.serviceIds.create(context, wanted)
  for (const key of [apiKeyOf(accountB), apiKey?.apiKey ?? '']) {
    await rejects(ask((await tokenFor(world, key)).accessToken, volume), { code: 'forbidden' })
  }
})

test('a service that a profile lets in by its CRN assumes it', async () => {
  await using world = await makeWorld()
  const service = await world.iam.tokens.issueToService(volumes(accountB))
  const profile = await makeProfile(world, accountA, [{ type: 'crn', identifier: volumes(accountB) }])
  const { accessToken } = service
  const request = { grantType: grantTypes.assume, accessToken, profileId: profile.id, clientId: null }
  const assumed = await world.iam.tokens.issue(request)
  equal((await world.iam.port.authenticate(assumed.accessToken)).accountId, accountA)
  await world.iam.profileIdentities.delete(profile.context, profile.id, 'crn', volumes(accountB))
  await rejects(world.iam.port.authenticate(assumed.accessToken), { code: 'unauthenticated' })
})

for (const [grant, word] of [
  ['password', 'no passwords'],
  ['urn:ibm:params:oauth:grant-type:passcode', 'no console login'],
  ['urn:ibm:params:oauth:grant-type:cr-token', 'no compute resource'],
  ['constructor', 'gives tokens for'],
] as const) {
  test(`grant ${grant} is refused with its reason`, async () => {
    await using world = await makeWorld()
    await rejects(
      world.iam.tokens.issue({ grantType: grant, clientId: null }),
      (fault: { reason: string; message: string }) => {
        match(fault.message, new RegExp(word))
        return fault.reason === 'BXNIM0109E'
      },
    )
  })
}

test('an account that wants shorter tokens gets them, and expiration says what exp says', async () => {
  await using world = await makeWorld()
  const context = await world.owner(accountA)
  const { accountSettings } = world.iam
  const short = { system_access_token_expiration_in_seconds: '900', system_refresh_token_expiration_in_seconds: '1000' }
  await accountSettings.update(context, accountA, '*', short)
  const issued = await tokenFor(world, keyA, { clientId: 'bx' })
  equal(issued.lifetimeSeconds, 900)
  equal(decodeJwt(issued.accessToken).exp, issued.expiresAtSeconds)
  world.clock.advance(1_000_000)
  const again = { grantType: grantTypes.refreshToken, refreshToken: issued.refreshToken ?? '', clientId: 'bx' }
  await rejects(world.iam.tokens.issue(again), { code: 'unauthenticated' })
  equal((await tokenFor(world, apiKeyOf(accountB))).lifetimeSeconds, 3600)
})

// What is taken away is out at the next request -------------------------------------------------------------------------

for (const [what, take] of [
  ['a deleted API key', ({ iam }, robot) => iam.apiKeys.delete(robot.context, robot.keyId)],
  ['a disabled API key', ({ iam }, robot) => iam.apiKeys.setDisabled(robot.context, robot.keyId, true)],
  ['a deleted service id', ({ iam }, robot) => iam.serviceIds.delete(robot.context, robot.id)],
  ['a disabled account', ({ iam }) => iam.accounts.setEnabled(accountA, false)],
] satisfies [string, (world: World, robot: Awaited<ReturnType<typeof makeServiceId>>) => Promise<void>][]) {
  test(`${what} is out at the next request, and so is what it assumed`, async () => {
    await using world = await makeWorld()
    const robot = await makeServiceId(world, accountA)
    const profile = await makeProfile(world, accountB, [{ type: 'serviceid', identifier: robot.id }])
    const { accessToken } = await tokenFor(world, robot.apiKey)
    const request = { grantType: grantTypes.assume, accessToken, profileId: profile.id, clientId: null }
    const assumed = await world.iam.tokens.issue(request)
    for (const token of [accessToken, assumed.accessToken]) await world.iam.port.authenticate(token)
    await take(world, robot)
    for (const token of [accessToken, assumed.accessToken]) {
      await rejects(world.iam.port.authenticate(token), { code: 'unauthenticated' })
    }
    await rejects(tokenFor(world, robot.apiKey), { reason: 'BXNIM0415E' })
  })
}

test('an API key ends at its time, with its tokens', async () => {
  await using world = await makeWorld()
  const context = await world.owner(accountA)
  const expiresAt = new Date(world.clock.now() + 60_000).toISOString()
  const wanted = { iamId: context.caller.iamId, accountId: undefined, name: 'short', expiresAt }
  const { apiKey } = await world.iam.apiKeys.create(context, wanted)
  const { accessToken } = await tokenFor(world, apiKey)
  world.clock.advance(60_000)
  await rejects(world.iam.port.authenticate(accessToken), { code: 'unauthenticated' })
  await rejects(tokenFor(world, apiKey), { reason: 'BXNIM0415E' })
})

test('a locked API key and the keys of a locked service id log in: a lock keeps them from being changed', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  await world.iam.apiKeys.setLocked(robot.context, robot.keyId, true)
  await world.iam.serviceIds.setLocked(robot.context, robot.id, true)
  equal((await contextFor(world, robot.apiKey)).caller.kind, 'serviceId')
})

test('who is taken out of a profile, and a profile that is deleted, are out at the next request', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const profile = await makeProfile(world, accountA, [{ type: 'serviceid', identifier: robot.id }])
  const assume = async () => {
    const { accessToken } = await tokenFor(world, robot.apiKey)
    const request = { grantType: grantTypes.assume, accessToken, profileId: profile.id, clientId: null }
    return (await world.iam.tokens.issue(request)).accessToken
  }
  const { context, id } = profile
  const first = await assume()
  await world.iam.profileIdentities.replace(context, id, '*', [])
  await rejects(world.iam.port.authenticate(first), { code: 'unauthenticated' })
  await world.iam.profileIdentities.put(context, id, 'serviceid', { type: 'serviceid', identifier: robot.id })
  const second = await assume()
  notEqual(second, first)
  await world.iam.port.authenticate(second)
  await world.iam.profiles.delete(context, id)
  await rejects(world.iam.port.authenticate(second), { code: 'unauthenticated' })
})

test('a removed user is out at the next request', async () => {
  await using world = await makeWorld()
  const { row, apiKey } = await world.iam.users.create({ accountId: accountA, name: 'Ada Lovelace' })
  const { accessToken } = await tokenFor(world, apiKey.apiKey)
  equal((await world.iam.port.authenticate(accessToken)).iamId, row.iam_id)
  await world.iam.users.delete(accountA, row.iam_id)
  await rejects(world.iam.port.authenticate(accessToken), { code: 'unauthenticated' })
  await rejects(tokenFor(world, apiKey.apiKey), { reason: 'BXNIM0415E' })
})

test('a token from a clock that is ahead by more than clocks differ is refused', async () => {
  await using world = await makeWorld()
  world.clock.advance(60_000)
  const { accessToken } = await tokenFor(world, keyA)
  world.clock.advance(-60_000)
  await rejects(world.iam.port.authenticate(accessToken), { code: 'unauthenticated' })
  world.clock.advance(55_000)
  await world.iam.port.authenticate(accessToken)
})
