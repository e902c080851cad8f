// The edge with a service of the test's own: what every operation of every service may rely on.

import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Type } from 'typebox'
import { BrokenAssertion } from '#base/assert.ts'
import { systemClock } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Contract, Routes } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { httpBodyBytesMax } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import type { Anyone, Caller, Context, IamPort } from '#iam/port.ts'
import type { Dialect } from './error-bodies.ts'
import { makeServer } from './server.ts'
import { makeService } from './service.ts'

const contract = {
  echo: {
    method: 'POST',
    path: '/v1/things/{id}',
    summary: 'Says back what it was given',
    action: 'thing.echo',
    query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) }),
    body: Type.Object({ name: Type.String({ minLength: 1 }), inner: Type.Optional(Type.Object({ n: Type.Number() })) }),
    status: 201,
    reply: Type.Object({ id: Type.String(), name: Type.String(), limit: Type.Optional(Type.Integer()) }),
  },
  optional: {
    method: 'PUT',
    path: '/v1/things/{id}',
    summary: 'Takes a body or none',
    action: 'thing.echo',
    body: Type.Object({ name: Type.String() }),
    bodyOptional: true,
    status: 200,
    reply: Type.Object({ had: Type.Boolean() }),
  },
  patch: {
    method: 'PATCH',
    path: '/v1/things/{id}',
    summary: 'Takes a body of which nothing is required',
    action: 'thing.echo',
    body: Type.Object({ name: Type.Optional(Type.String()) }),
    status: 200,
    reply: Type.Object({ named: Type.Boolean() }),
  },
  sign: {
    method: 'POST',
    path: '/form',
    summary: 'Takes a form from anybody',
    action: null,
    body: Type.Object({ user: Type.String() }),
    bodyType: 'form',
    status: 200,
    reply: Type.Object({ user: Type.String() }),
  },
  fail: { method: 'GET', path: '/v1/fail/{how}', summary: 'Fails', action: null, status: 204 },
  lie: {
    method: 'GET',
    path: '/v1/lie',
    summary: 'Answers something else',
    action: null,
    status: 200,
    reply: Type.Object({ truth: Type.Boolean() }),
  },
} as const satisfies Contract

const failures: Readonly<Record<string, () => Error>> = {
  fault: () => new Fault('conflict', 'it is taken', { reason: 'taken', target: { type: 'field', name: 'name' } }),
  forbidden: () =>
    new Fault('forbidden', 'you may not', { explanation: { action: 'a', subject: {}, resource: {}, account: 'x' } }),
  assertion: () => new BrokenAssertion('not so: the sky is green'),
  bug: () => new TypeError('secret detail of a bug'),
}

const routes: Routes<typeof contract, Context, Anyone> = {
  echo: async (context, { path, body, query }) =>
    reply(
      { id: path.id, name: body.name, ...(query.limit !== undefined && { limit: query.limit }) },
      { 'x-who': context.caller.iamId },
    ),
  optional: async (_context, { body }) => ({ had: body !== undefined }),
  patch: async (_context, { body }) => ({ named: body.name !== undefined }),
  sign: async (_context, { body }) => ({ user: body.user }),
  fail: async (_context, { path }) => {
    throw failures[path.how]?.() ?? new Error('unknown way to fail')
  },
  // What a handler with a wrong type would do.
  lie: async () => JSON.parse('{"truth":"no"}'),
}

const caller: Caller = { iamId: 'IBMid-1', accountId: 'a'.repeat(32), kind: 'user', name: 'someone' }
const refuse = (): never => {
  throw new Fault('forbidden', 'not in this test')
}
const iam: IamPort = {
  async authenticate(token) {
    if (token !== 'good') throw new Fault('unauthenticated', 'the token is not valid')
    return caller
  },
  authorize: refuse,
  decide: refuse,
  explain: refuse,
  hasAccount: refuse,
  isDisabled: refuse,
}

async function start(t: TestContext, dialect: Dialect = 'vpc') {
  const server = makeServer({
    services: [makeService({ dialect, contract, routes })],
    iam,
    log: makeLog('silent'),
    clock: systemClock,
    random: systemRandom,
    publicUrl: null,
    tls: null,
    checkReplies: true,
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  const [address] = server.addresses()
  const { port } = address as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const send = async (method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: 'Bearer good', ...headers },
      ...(body !== undefined && { body: Buffer.from(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
  }
  return { port, send }
}

test('a handler gets parsed path, query and body, and its headers go out', async (t) => {
  const { send } = await start(t)
  const answer = await send('POST', '/v1/things/a%3Ab?limit=3', '{"name":"n"}')
  assert.equal(answer.status, 201)
  assert.deepEqual(answer.body, { id: 'a:b', name: 'n', limit: 3 })
  assert.equal(answer.headers.get('x-who'), 'IBMid-1')
  assert.equal(answer.headers.get('cache-control'), 'no-store')
})

test('JSON is read under every content type and under none', async (t) => {
  const { send } = await start(t)
  for (const type of [
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/vnd.ibm.kms.key+json',
  ]) {
    assert.equal((await send('POST', '/v1/things/1', '{"name":"n"}', { 'content-type': type })).status, 201, type)
  }
})

test('the token may come bare', async (t) => {
  const { send } = await start(t)
  assert.equal((await send('POST', '/v1/things/1', '{"name":"n"}', { authorization: 'good' })).status, 201)
})

const unauthenticated = ['', 'Bearer', 'Bearer ', 'Bearer bad', 'Bearer good good', 'Basic good', 'bad']
for (const authorization of unauthenticated) {
  test(`Authorization ${JSON.stringify(authorization)} is refused before the body is read`, async (t) => {
    const { send } = await start(t)
    const answer = await send('POST', '/v1/things/1', 'not json', { authorization })
    assert.equal(answer.status, 401)
    assert.equal(answer.body.errors[0].code, authorization === '' ? 'token_missing' : 'token_invalid')
  })
}

const wrongBodies: readonly [string, string | Buffer, RegExp, string | undefined][] = [
  ['no body', '', /name is required/, 'name'],
  ['not JSON', '{', /body is not JSON/, undefined],
  ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /body is not UTF-8/, undefined],
  ['a wrong type', '{"name":1}', /name must be string/, 'name'],
  ['a wrong inner type', '{"name":"n","inner":{"n":"1"}}', /inner\.n must be number/, 'inner.n'],
  ['an array', '[]', /body must be object/, undefined],
  ['null', 'null', /body must be object/, undefined],
  ['a prototype', '{"name":"n","__proto__":{"x":1}}', /body is not JSON/, undefined],
  ['too deep', `{"name":${'['.repeat(100)}${']'.repeat(100)}}`, /nested deeper than 32/, undefined],
]
for (const [what, body, message, field] of wrongBodies) {
  test(`a body with ${what} is refused with the field named`, async (t) => {
    const { send } = await start(t)
    const answer = await send('POST', '/v1/things/1', body)
    assert.equal(answer.status, 400)
    assert.match(answer.body.errors[0].message, message)
    assert.equal(answer.body.errors[0].target?.name, field)
  })
}

test('brackets inside strings are not nesting', async (t) => {
  const { send } = await start(t)
  assert.equal((await send('POST', '/v1/things/1', JSON.stringify({ name: '[{"'.repeat(100) }))).status, 201)
})

test('a body over the limit is refused', async (t) => {
  const { send } = await start(t)
  const answer = await send('POST', '/v1/things/1', JSON.stringify({ name: 'x'.repeat(httpBodyBytesMax) }))
  assert.equal(answer.status, 413)
})

test('a wrong query parameter is refused with its name', async (t) => {
  const { send } = await start(t)
  const answer = await send('POST', '/v1/things/1?limit=x', '{"name":"n"}')
  assert.equal(answer.status, 400)
  assert.deepEqual(answer.body.errors[0].target, { type: 'parameter', name: 'limit' })
})

test('no body where one belongs is an empty one', async (t) => {
  const { send } = await start(t)
  assert.equal((await send('PATCH', '/v1/things/1')).status, 200)
})

test('a target that is no path is refused in the dialect, without an echo', async (t) => {
  const { send } = await start(t)
  for (const path of ['/v1/things/%ZZ', `/v1/fail/${'x'.repeat(2000)}`, '/api/v2/%C3%28']) {
    const answer = await send('GET', path)
    assert.equal(answer.status, 400, path)
    assert.ok(answer.body.errors ?? answer.body.resources, JSON.stringify(answer.body))
    assert.doesNotMatch(JSON.stringify(answer.body), /xxx|ZZ/)
  }
})

test('a body that may be left out is undefined then', async (t) => {
  const { send } = await start(t)
  assert.deepEqual((await send('PUT', '/v1/things/1')).body, { had: false })
  assert.deepEqual((await send('PUT', '/v1/things/1', '{"name":"n"}')).body, { had: true })
  assert.equal((await send('PUT', '/v1/things/1', '{}')).status, 400)
})

test('a form is read as a form, from anybody, and a repeated field is refused', async (t) => {
  const { send } = await start(t)
  assert.deepEqual((await send('POST', '/form', 'user=a%20b', { authorization: '' })).body, { user: 'a b' })
  assert.equal((await send('POST', '/form', 'user=a&user=b')).status, 400)
})

test('a bug says nothing of itself; a fault says its sentence', async (t) => {
  const { send } = await start(t)
  for (const how of ['assertion', 'bug']) {
    const answer = await send('GET', `/v1/fail/${how}`)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(JSON.stringify(answer.body), /sky|secret/)
  }
  const fault = await send('GET', '/v1/fail/fault', undefined, { 'x-request-id': 'mine-1' })
  assert.equal(fault.status, 409)
  assert.deepEqual(fault.body, {
    errors: [{ code: 'taken', message: 'it is taken', target: { type: 'field', name: 'name' } }],
    trace: 'mine-1',
  })
  assert.equal(fault.headers.get('x-request-id'), 'mine-1')
})

test('a reply that is not what the contract says does not leave', async (t) => {
  const { send } = await start(t)
  assert.ok((await send('GET', '/v1/lie')).status >= 400)
})

const dialects: readonly [Dialect, string, number, (body: Record<string, never>) => unknown, unknown][] = [
  ['vpc', 'forbidden', 403, (b) => b['errors']?.[0]?.['code'], 'not_authorized'],
  ['policy', 'forbidden', 403, (b) => b['errors']?.[0]?.['code'], 'insufficent_permissions'],
  ['kms', 'forbidden', 401, (b) => b['resources']?.[0], { errorMsg: 'Unauthorized: you may not' }],
  ['identity', 'forbidden', 403, (b) => b['errorMessage'], 'you may not'],
  ['resources', 'forbidden', 403, (b) => b['message'], 'you may not'],
  ['kms', 'fault', 409, (b) => (b['resources']?.[0]?.['reasons'] as never)?.[0]?.['code'], 'taken'],
]
for (const [dialect, how, status, part, expected] of dialects) {
  test(`the ${dialect} dialect writes ${how} as ${status}`, async (t) => {
    const { send } = await start(t, dialect)
    const answer = await send('GET', `/v1/fail/${how}`)
    assert.equal(answer.status, status)
    assert.deepEqual(part(answer.body), expected)
    assert.equal('explanation' in answer.body, how === 'forbidden')
  })
}

test('an unknown route is refused in the dialect of its path', async (t) => {
  const { send } = await start(t)
  assert.equal((await send('GET', '/v1/nothing')).body.errors[0].code, 'invalid_route')
  assert.match((await send('GET', '/api/v2/nothing')).body.resources[0].errorMsg, /^Not Found/)
  assert.equal((await send('GET', '/v2/nothing')).status, 404)
  assert.equal((await send('DELETE', '/v1/things/1')).status, 404)
})

test('broken HTTP does not bring it down', async (t) => {
  const { port, send } = await start(t)
  for (const bytes of [
    'GARBAGE\r\n\r\n',
    'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    '\0'.repeat(100),
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
      socket
        .on('data', () => undefined)
        .on('error', () => resolve())
        .on('close', () => resolve())
    })
  }
  await new Promise<void>((resolve) => {
    const half = httpRequest({ port, method: 'POST', path: '/v1/things/1', headers: { 'content-length': '100' } })
    half.on('error', () => resolve()).on('close', () => resolve())
    half.write('{', () => half.destroy())
  })
  assert.equal((await send('POST', '/v1/things/1', '{"name":"n"}')).status, 201)
})
