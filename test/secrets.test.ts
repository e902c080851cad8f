// Secrets stay inside. A story with known key material is played against the real program at its most talkative, with
// everything that can be said wrongly said wrongly too; then whatever it has written or answered is searched for the
// bytes, in every form in which bytes get about.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Json } from './harness/api.ts'
import { nbdsh, tlsUri } from './harness/nbd.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { attach, authorization, keyEnvelope, makeVolume } from './harness/story.ts'

interface Secret {
  readonly name: string
  readonly bytes: Buffer
  /** The answers that exist to give it, by method and end of path. */
  readonly givenBy: readonly RegExp[]
}

interface Haystack {
  readonly name: string
  readonly bytes: Buffer
}

/** Base64 has three forms of the same bytes, by where they begin in a longer text; the ends depend on the neighbours. */
function base64Forms(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(encoding)
      .replace(/=+$/, '')
    return text.slice(shift === 0 ? 0 : shift + 1, text.length - 1)
  })
}

const formsOf = (bytes: Buffer): Buffer[] =>
  [
    bytes,
    ...[
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      ...base64Forms(bytes, 'base64'),
      ...base64Forms(bytes, 'base64url'),
      [...bytes].join(','),
      [...bytes].join(', '),
      encodeURIComponent(bytes.toString('base64')),
      JSON.stringify(bytes.toString('latin1')).slice(1, -1),
    ].map((text) => Buffer.from(text)),
  ].filter((form) => form.length >= 8)

const hits = (secrets: readonly Secret[], haystacks: readonly Haystack[]): string[] =>
  secrets.flatMap((secret) =>
    haystacks
      .filter(({ name, bytes }) => {
        const isGiven = secret.givenBy.some((pattern) => pattern.test(name))
        return !isGiven && formsOf(secret.bytes).some((form) => bytes.includes(form))
      })
      .map(({ name }) => `${secret.name} is in ${name}`),
  )

test('the search finds each form', () => {
  const bytes = randomBytes(32)
  const secret = { name: 's', bytes, givenBy: [] }
  const shapes = [
    bytes,
    bytes.toString('hex'),
    `{"a":"${bytes.toString('base64')}"}`,
    Buffer.concat([Buffer.from('x'), bytes, Buffer.from('yz')]).toString('base64'),
    Buffer.concat([Buffer.from('xy'), bytes, Buffer.from('z')]).toString('base64url'),
    JSON.stringify({ type: 'Buffer', data: [...bytes] }),
  ]
  for (const shape of shapes)
    assert.equal(hits([secret], [{ name: 'here', bytes: Buffer.from(shape as string) }]).length, 1)
  assert.equal(hits([secret], [{ name: 'here', bytes: randomBytes(10_000) }]).length, 0)
})

/** Sends as an account, and keeps every answer. */
function recorder(server: Server, kept: Haystack[]) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Json> => {
    const sent = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
    const response = await fetch(server.baseUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${await server.a.token()}`,
        'bluemix-instance': server.a.account.kmsInstanceId,
        ...headers,
      },
      ...(sent !== undefined && { body: sent }),
    })
    const text = await response.text()
    const all = `${text} ${JSON.stringify([...response.headers])}`
    kept.push({ name: `answer to ${method} ${path} (${response.status})`, bytes: Buffer.from(all) })
    try {
      return JSON.parse(text)
    } catch {
      return null
    }
  }
}

const base64 = (bytes: Buffer): string => bytes.toString('base64')

test('no secret is in the database, the log, an answer, an event or an error that need not give it', async (t) => {
  const folder = tempFolder(t)
  // The first run shows the API keys, as it must; what is searched is the second.
  assert.equal(await (await startServer(t, folder)).stop(), 0)
  const server = await startServer(t, folder, ['--log-level', 'trace'])
  const { a, b } = server
  const answers: Haystack[] = []
  const send = recorder(server, answers)

  const [imported, rotated, standard, wrapped, misplaced] = [32, 32, 48, 32, 32].map((count) => randomBytes(count)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  const root = await send(
    'POST',
    '/api/v2/keys',
    keyEnvelope({ name: 'root', extractable: false, payload: base64(imported) }),
  )
  const { id, crn } = root.resources[0]
  const plain = await send(
    'POST',
    '/api/v2/keys',
    keyEnvelope({ name: 'plain', extractable: true, payload: base64(standard) }),
  )
  const plainId: string = plain.resources[0].id
  const { ciphertext } = await send('POST', `/api/v2/keys/${id}/actions/wrap`, { plaintext: base64(wrapped) })
  await send('POST', `/api/v2/keys/${id}/actions/rotate`, { payload: base64(rotated) })
  await send('POST', `/api/v2/keys/${id}/actions/rewrap`, { ciphertext })
  await send('POST', `/api/v2/keys/${id}/actions/unwrap`, { ciphertext })
  for (const path of ['', `/${id}`, `/${id}/metadata`, `/${id}/versions`, `/${plainId}`, `/${plainId}/metadata`]) {
    await send('GET', `/api/v2/keys${path}`)
  }
  await b.expect(201, 'POST', '/v1/policies', { body: authorization(b, b) }).catch(() => null)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, crn)
  const { connection } = await attach(b, volume.id)
  nbdsh(tlsUri(connection, tempFolder(t)), 'h.pwrite(b"x" * 4096, 0); h.flush()')
  await sayWrongly(server, send, { id, misplaced, ciphertext })
  await a.kms(204, 'POST', `/keys/${id}/actions/disable`)
  await send('GET', `/keyward/v1/audit?account_id=${a.account.id}&limit=1000`)

  const backup = join(tempFolder(t), 'backup')
  const made = await runToEnd(['backup', '--to', backup, '--data', folder, '--log-level', 'trace'])
  assert.equal(made.code, 0, made.stderr)

  const psk = pskOf(connection)
  const nobody: readonly RegExp[] = []
  const secrets: readonly Secret[] = [
    { name: 'imported root key', bytes: imported, givenBy: nobody },
    { name: 'rotated root key', bytes: rotated, givenBy: nobody },
    {
      name: 'standard key',
      bytes: standard,
      givenBy: [/POST \/api\/v2\/keys \(201\)/, new RegExp(`GET .*/${plainId} `)],
    },
    { name: 'plaintext that was wrapped', bytes: wrapped, givenBy: [/actions\/unwrap \(200\)/] },
    { name: 'secret in the wrong place', bytes: misplaced, givenBy: nobody },
    { name: 'connection secret', bytes: psk, givenBy: nobody },
    {
      name: 'master key',
      bytes: Buffer.from(readFileSync(join(folder, 'master.key'), 'latin1'), 'base64'),
      givenBy: nobody,
    },
    { name: 'API key of A', bytes: Buffer.from(a.account.apiKey), givenBy: [/bootstrap\.json/] },
    { name: 'API key of B', bytes: Buffer.from(b.account.apiKey), givenBy: [/bootstrap\.json/] },
    {
      name: 'operator token',
      bytes: Buffer.from(readFileSync(join(folder, 'operator.token'), 'latin1').trim()),
      givenBy: [/operator\.token/],
    },
    { name: 'token of A', bytes: Buffer.from((await a.token()).split('.')[2] ?? '', 'base64url'), givenBy: nobody },
  ]
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'master.key' && entry.name !== 'volume.luks')
    .map((entry) => join(entry.parentPath, entry.name))
  const haystacks: readonly Haystack[] = [
    ...answers,
    ...[...files, backup].map((file) => ({ name: file, bytes: readFileSync(file) })),
    { name: 'log', bytes: Buffer.from(server.output()) },
    { name: 'output of backup', bytes: Buffer.from(made.stdout + made.stderr) },
  ]
  assert.ok(haystacks.some(({ name, bytes }) => name.endsWith('keyward.db-wal') && bytes.length > 10_000))
  assert.deepEqual(hits(secrets, haystacks), [])
  // The story did give what it must: or the search would have been for nothing.
  const given = secrets.map((secret) => ({ ...secret, givenBy: nobody }))
  const found = hits(given, answers).map((text) => text.split(' is in ')[0])
  assert.deepEqual(new Set(found), new Set(['standard key', 'plaintext that was wrapped']))
})

/** The secret where no secret belongs, in bodies that are refused for every reason there is. */
async function sayWrongly(
  { baseUrl }: Server,
  send: ReturnType<typeof recorder>,
  { id, misplaced, ciphertext }: { id: string; misplaced: Buffer; ciphertext: string },
): Promise<void> {
  const text = base64(misplaced)
  const keys = '/api/v2/keys'
  await send('POST', keys, keyEnvelope({ name: 'x', extractable: false, payload: text.slice(0, -4) + text }))
  await send('POST', keys, keyEnvelope({ name: 'x', extractable: false, payload: `${text}!` }))
  await send('POST', keys, keyEnvelope({ name: 'x', extractable: false, payload: [...misplaced] }))
  await send('POST', keys, `{"payload":"${text}"`)
  await send('POST', keys, `{"metadata": ${text}}`)
  await send('POST', keys, { payload: text })
  await send('POST', `${keys}/${id}/actions/rotate`, { payload: misplaced.toString('hex') })
  await send('POST', `${keys}/${id}/actions/wrap`, { plaintext: `${text}=` })
  await send('POST', `${keys}/${id}/actions/wrap`, { plaintext: { key: text } })
  await send('POST', `${keys}/${id}/actions/unwrap`, { ciphertext: text })
  await send('POST', `${keys}/${id}/actions/unwrap`, { ciphertext, aad: 'x', plaintext: text })
  await send('GET', `${keys}?limit=x&payload=${encodeURIComponent(text)}`)
  await send('POST', '/v1/policies', { type: 'access', secret: text })
  await fetch(`${baseUrl}/identity/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: text }),
  })
  await send('GET', keys, undefined, { authorization: `Bearer ${text}` })
  await send('GET', keys, undefined, { authorization: `Basic ${text}` })
}

/** Hexadecimal, as GnuTLS and OpenSSL take it. */
const pskOf = (connection: Json): Buffer => Buffer.from(connection.tls.psk_key, 'hex')
