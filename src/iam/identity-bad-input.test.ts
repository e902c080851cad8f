// Whatever arrives, the answer is the identity API's own error body and never a 500.

import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { identityContract } from './contract-identity.ts'
import { operatorContract } from './contract-operator.ts'
import { grantTypes } from './token-grants.ts'
import { operatorToken, serveIdentities, tokenFor } from './testing/identity-world.ts'
import type { Answer } from './testing/identity-world.ts'
import { accountA, apiKeyOf, makeWorld } from './testing/world.ts'

const operations = Object.entries({ ...identityContract, ...operatorContract })
  // A new RSA key per run says nothing about input.
  .filter(([, { path }]) => !path.endsWith('/rotate'))

function check({ status, body }: Answer, seen: string): void {
  ok(status < 500, `${seen}: ${status} ${JSON.stringify(body)}`)
  if (status >= 400)
    ok(typeof body.errorCode === 'string' && body.errorMessage !== '', `${seen}: ${JSON.stringify(body)}`)
}

// Without `.` and `..`: clients resolve those before they send.
const odd = fc
  .oneof(
    fc.constantFrom('', '%00', '\u0000', "'; drop table iam_account; --", '*', accountA, '__proto__', 'ApiKey-x'),
    fc.string({ maxLength: 40 }),
  )
  .filter((text) => !/^\.{1,2}$/.test(text))

test('no identity operation answers odd paths, headers, queries and bodies with a 500', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world)
  const { accessToken } = await tokenFor(world, apiKeyOf(accountA))
  const names = [
    'account_id',
    'iam_id',
    'name',
    'apikey',
    'expires_at',
    'identities',
    'type',
    'link',
    'conditions',
    'mfa',
  ]
  const body = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...names), fc.oneof(odd, fc.jsonValue())))
  const query = fc.dictionary(
    fc.constantFrom('pagesize', 'pagetoken', 'sort', 'order', 'account_id', 'type', 'scope'),
    odd,
  )
  const request = fc.record({
    operation: fc.constantFrom(...operations),
    part: odd,
    query,
    body,
    ifMatch: fc.constantFrom('*', '', '"x"', '1-0'),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ operation: [name, { method, path }], part, query, body, ifMatch }) => {
      const url = `${path.replaceAll(/\{\w+\}/g, encodeURIComponent(part))}?${new URLSearchParams(query)}`
      const token = path.includes('/operator/') ? operatorToken : accessToken
      const headers = { 'if-match': ifMatch, 'iam-apikey': part.replaceAll(/[^\x21-\x7e]/g, '') }
      check(
        await ask(url, { method, token, headers, ...(method !== 'GET' && { body }) }),
        `${name} ${url} ${JSON.stringify(body)}`,
      )
    }),
    { numRuns: 400 },
  )
})

test('no token request is answered with a 500', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world)
  const names = [
    'apikey',
    'refresh_token',
    'access_token',
    'profile_id',
    'profile_crn',
    'profile_name',
    'account',
    'desired_iam_id',
  ]
  const more = ['response_type', 'receiver_client_ids', 'delegated_refresh_token_expiry']
  const { accessToken } = await tokenFor(world, apiKeyOf(accountA))
  const value = fc.oneof(odd, fc.constantFrom(accessToken, apiKeyOf(accountA), 'delegated_refresh_token'))
  const grant = fc.oneof(odd, fc.constantFrom(...Object.values(grantTypes)))
  const form = fc.record({ grant_type: grant, rest: fc.dictionary(fc.constantFrom(...names, ...more), value) })
  let turn = 0
  await fc.assert(
    fc.asyncProperty(form, odd, async ({ grant_type, rest }, client) => {
      const headers = { authorization: `Basic ${Buffer.from(client).toString('base64')}` }
      // A source each, so that the throttle does not answer for the rest.
      const from = `192.0.2.${turn++ % 200}`
      check(await ask('/identity/token', { form: { grant_type, ...rest }, headers, from }), JSON.stringify(rest))
    }),
    { numRuns: 400 },
  )
})
