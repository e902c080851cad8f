// What every operation of VPC has in common, asked of each operation of the committed OpenAPI: a new one cannot be
// forgotten, for where one needs an example the suite fails without it. Source: VPC API, "Common conventions".

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer, Api, Json } from './harness/api.ts'
import { filled, operationsOf } from './harness/operations.ts'
import { assertRefused } from './harness/refused.ts'
import type { Operation } from './harness/operations.ts'
import { startServer, tempFolder } from './harness/server.ts'

const operations = operationsOf('vpc.json')
const versioned = 'version=2026-03-24&generation=2'
const unknownId = (name: string): string => (name.endsWith('name') || name === 'zone' ? 'nowhere' : 'r006-unknown')

/** A body that says all that the schema demands, with values that mean nothing. */
function bodyOf(schema: Json): Json {
  if (schema.enum) return schema.enum[0]
  if (schema.const !== undefined) return schema.const
  if (schema.anyOf) return bodyOf(schema.anyOf[0])
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 0 }, () => bodyOf(schema.items))
  if (schema.type !== 'object') return { string: 'x', integer: 10, boolean: true }[schema.type as string]
  const required: string[] = schema.required ?? []
  return Object.fromEntries(required.map((name) => [name, bodyOf(schema.properties[name])]))
}

/** Asks each operation, of things that do not exist, in the way that `ask` varies. */
async function ofEach(
  b: Api,
  ask: (
    send: (query: string, request?: Parameters<Api['send']>[2]) => Promise<Answer>,
    one: Operation,
  ) => Promise<void>,
): Promise<void> {
  for (const operation of operations) {
    const path = filled(operation.path, unknownId)
    const needed = operation.name === 'deleteSnapshots' ? '&source_volume.id=r006-unknown' : ''
    const body = operation.body ? { body: bodyOf(operation.body) } : {}
    const send = (query: string, request = {}) =>
      b.send(operation.method, `${path}?${query}${needed}`, { ...body, ...request })
    try {
      await ask(send, operation)
    } catch (cause) {
      throw new Error(`${operation.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
}

test('conventions that need nothing to be there', async (t) => {
  const { b, baseUrl } = await startServer(t, tempFolder(t))

  await t.test('version and generation', async () => {
    const tomorrow = new Date(Date.now() + 2 * 24 * 3600_000).toISOString().slice(0, 10)
    const parameter = (name: string) => ({ type: 'parameter', name })
    await ofEach(b, async (send) => {
      assertRefused(await send('generation=2'), [400, 'missing_version'], parameter('version'))
      for (const wrong of ['', 'yesterday', '2026-02-30', '2026-3-24', '2026-03-24&version=2026-03-25']) {
        assertRefused(await send(`version=${wrong}&generation=2`), [400, 'invalid_version'], parameter('version'))
      }
      for (const wrong of ['2018-12-31', tomorrow]) {
        assertRefused(await send(`version=${wrong}&generation=2`), [400, 'invalid_version_range'], parameter('version'))
      }
      const generation = parameter('generation')
      assertRefused(await send('version=2026-03-24'), [400, 'missing_generation_parameter'], generation)
      for (const wrong of ['1', '3', 'two', '']) {
        const answer = await send(`version=2026-03-24&generation=${wrong}`)
        assertRefused(answer, [400, 'invalid_generation_parameter'], generation)
      }
    })
  })

  await t.test('whoever has no token or a wrong one is told so, before anything else', async () => {
    await ofEach(b, async (send) => {
      assertRefused(await send('', { headers: { authorization: '' } }), [401, 'token_missing'])
      assertRefused(await send('', { headers: { authorization: 'Bearer no.such.token' } }), [401, 'token_invalid'])
    })
  })

  await t.test('X-Request-Id comes back, in refusals as the trace, and one that is unfit is replaced', async () => {
    await ofEach(b, async (send) => {
      const answer = await send(versioned, { headers: { 'x-request-id': 'the-one-of-the-client' } })
      assert.equal(answer.headers.get('x-request-id'), 'the-one-of-the-client')
      if (answer.status >= 400) assert.equal(answer.body.trace, 'the-one-of-the-client')
      const replaced = await send(versioned, { headers: { 'x-request-id': 'not fit' } })
      assert.match(replaced.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
    })
  })

  await t.test(
    'what the path names and is not there is 404, what a body names 400; a body has a media type',
    async () => {
      await ofEach(b, async (send, { path, status }) => {
        const answer = await send(versioned)
        if (answer.body !== null) assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
        if (answer.body === null) assert.equal(answer.status, 204)
        if (path.includes('{')) assertRefused(answer, [404, answer.body.errors?.[0]?.code])
        else assert.ok(answer.status === status || answer.status === 400, JSON.stringify(answer.body))
      })
    },
  )

  await t.test(
    'bodies: unknown fields, wrong types and no JSON are refused by name, whatever media type was sent',
    async () => {
      await ofEach(b, async (send, { body: schema }) => {
        if (schema === null) return
        const valid = bodyOf(schema)
        const extra = { body: { ...valid, no_such_field: 1 } }
        const field = (name: string) => ({ type: 'field', name })
        for (const type of ['application/merge-patch+json', 'application/json; charset=utf-8', 'text/plain', '']) {
          const answer = await send(versioned, { ...extra, headers: { 'content-type': type } })
          assertRefused(answer, [400, 'invalid_request_field'], field('no_such_field'))
        }
        assertRefused(await send(versioned, { body: [] }), [400, 'validation_invalid_field_type'])
        for (const [name, one] of Object.entries<Json>(schema.properties)) {
          // What is not served yet takes anything, and says 501.
          if (one.type === undefined && !one.anyOf && !one.enum && one.const === undefined) continue
          for (const wrong of [{ a: { b: 1 } }, [[1]], Number.MAX_VALUE, true, 'x', null]) {
            const answer = await send(versioned, { body: { ...valid, [name]: wrong } })
            if (answer.status < 300) continue
            if (answer.status !== 501) assert.ok(answer.status < 500, `${name}: ${answer.status}`)
            const at = answer.body.errors[0].target
            if (answer.body.errors[0].code === 'validation_invalid_field_type')
              assert.equal(at.name.split('.')[0], name)
          }
        }
      })
    },
  )

  await t.test('routes that nobody knows', async () => {
    for (const path of ['/v1/volume', '/v1/volumes/a/b', '/v1/shares']) {
      assertRefused(await b.send('GET', `${path}?${versioned}`), [404, 'invalid_route'])
    }
    assertRefused(await b.send('GET', `/v1/floating_ips?${versioned}`), [501, 'not_implemented'])
    assert.match(baseUrl, /^http/)
  })
})
