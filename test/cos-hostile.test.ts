// What object storage answers to what nobody should send: the documented error, never a 500, never a file of anybody's.

import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { curl, makeStorage } from './harness/storage.ts'

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** By the first account's token, unless it says who asks. */
async function send(server: Server, { method = 'GET', path = '/', headers = {}, body }: Sent) {
  const { hostname, port } = new URL(server.bootstrap.endpoints.cos)
  const authorization = { authorization: `Bearer ${await server.a.token()}` }
  return await new Promise<{ status: number; code: string; text: string }>((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: { ...authorization, ...headers } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const long = 'k'.repeat(1025)
const deletion = (content: string) => ({ method: 'POST', path: '/hostile?delete', body: content })
const put = (headers: Record<string, string>, body = 'x') => ({ method: 'PUT', path: '/hostile/k', headers, body })
const md5 = (text: string) => createHash('md5').update(text).digest('base64')

const table: readonly (readonly [string, Sent, number, string])[] = [
  ['a path that is not encoded', { path: '/hostile/%zz' }, 400, 'InvalidURI'],
  ['a key that is not UTF-8', { path: '/hostile/%ff%fe' }, 400, 'InvalidURI'],
  ['an empty bucket name', { path: '//k' }, 400, 'InvalidURI'],
  ['NUL in a key', { path: '/hostile/a%00b' }, 400, 'InvalidArgument'],
  ['a key of 1025 bytes', { path: `/hostile/${long}` }, 400, 'KeyTooLongError'],
  ['a key of 1024 bytes', { path: `/hostile/${long.slice(1)}` }, 404, 'NoSuchKey'],
  ['a climbing key', { path: '/hostile/../../../etc/passwd' }, 404, 'NoSuchKey'],
  ['an encoded climbing key', { path: '/hostile/%2e%2e%2f%2e%2e%2fetc%2fpasswd' }, 404, 'NoSuchKey'],
  ['a climbing bucket', { path: '/../hostile' }, 400, 'InvalidBucketName'],
  ['a bucket in capitals', { method: 'PUT', path: '/Hostile' }, 400, 'InvalidBucketName'],
  ['a bucket like an address', { method: 'PUT', path: '/192.168.0.1' }, 400, 'InvalidBucketName'],
  ['a bucket of two letters', { method: 'PUT', path: '/ab' }, 400, 'InvalidBucketName'],
  ['a bucket with dots in a row', { method: 'PUT', path: '/a..b' }, 400, 'InvalidBucketName'],
  ['a bucket of no instance', { method: 'PUT', path: '/no-instance' }, 400, 'InvalidArgument'],
  ['a bucket of nobody', { path: '/never-was-there' }, 404, 'NoSuchBucket'],
  ['an object of nobody', { path: '/never-was-there/k' }, 404, 'NoSuchBucket'],
  ['no token', { headers: { authorization: '' } }, 403, 'AccessDenied'],
  ['a token of nobody', { headers: { authorization: 'Bearer x.y.z' } }, 403, 'AccessDenied'],
  ['signature version 2', { headers: { authorization: 'AWS key:sig' } }, 400, 'InvalidRequest'],
  ['another algorithm', { headers: { authorization: 'AWS4-ECDSA-P256-SHA256 x' } }, 400, 'InvalidRequest'],
  [
    'half a signature',
    { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } },
    400,
    'AuthorizationHeaderMalformed',
  ],
  [
    'half a presigned URL',
    { path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256', headers: { authorization: '' } },
    403,
    'AccessDenied',
  ],
  ['PATCH', { method: 'PATCH', path: '/hostile' }, 405, 'MethodNotAllowed'],
  ['POST on an object', { method: 'POST', path: '/hostile/k' }, 405, 'MethodNotAllowed'],
  ['DELETE on everything', { method: 'DELETE', path: '/' }, 405, 'MethodNotAllowed'],
  ['access control lists', { path: '/hostile?acl' }, 501, 'NotImplemented'],
  ['versions', { path: '/hostile?versions' }, 501, 'NotImplemented'],
  ['a version', { path: '/hostile/k?versionId=3' }, 501, 'NotImplemented'],
  ['tags', { method: 'PUT', path: '/hostile/k?tagging', body: '<Tagging/>' }, 501, 'NotImplemented'],
  ['a public object', put({ 'x-amz-acl': 'public-read' }), 501, 'NotImplemented'],
  ["a client's own key", put({ 'x-amz-server-side-encryption-customer-key': 'x' }), 501, 'NotImplemented'],
  ['a retention period', put({ 'Retention-Period': '60' }), 501, 'NotImplemented'],
  ['a storage class', put({ 'x-amz-storage-class': 'GLACIER' }), 400, 'InvalidStorageClass'],
  ['an MD5 of other bytes', put({ 'content-md5': md5('y') }), 400, 'BadDigest'],
  ['an MD5 that is none', put({ 'content-md5': 'eA==' }), 400, 'InvalidDigest'],
  ['a SHA-256 of other bytes', put({ 'x-amz-content-sha256': 'a'.repeat(64) }), 400, 'XAmzContentSHA256Mismatch'],
  ['a SHA-256 that is none', put({ 'x-amz-content-sha256': 'a' }), 400, 'InvalidArgument'],
  ['a CRC32 of other bytes', put({ 'x-amz-checksum-crc32': 'AAAAAA==' }), 400, 'BadDigest'],
  ['two checksums', put({ 'x-amz-checksum-crc32': 'x', 'x-amz-checksum-sha1': 'x' }), 400, 'InvalidRequest'],
  ['no length', put({ 'transfer-encoding': 'chunked' }), 411, 'MissingContentLength'],
  ['too much metadata', put({ 'x-amz-meta-a': 'x'.repeat(2048) }), 400, 'MetadataTooLarge'],
  ['a copy of nothing', put({ 'x-amz-copy-source': 'nonsense' }), 400, 'InvalidArgument'],
  ['a copy of a broken name', put({ 'x-amz-copy-source': '/hostile/%zz' }), 400, 'InvalidArgument'],
  [
    'a part of no upload',
    { method: 'PUT', path: '/hostile/k?uploadId=x&partNumber=1', body: 'x' },
    404,
    'NoSuchUpload',
  ],
  [
    'a part without number',
    { method: 'PUT', path: '/hostile/k?uploadId=x&partNumber=x', body: 'x' },
    400,
    'InvalidArgument',
  ],
  ['part 10001', { method: 'PUT', path: '/hostile/k?uploadId=x&partNumber=10001', body: 'x' }, 400, 'InvalidArgument'],
  ['a list of a wrong type', { path: '/hostile?list-type=3' }, 400, 'InvalidArgument'],
  ['a list of less than nothing', { path: '/hostile?max-keys=-1' }, 400, 'InvalidArgument'],
  ['a token that is not ours', { path: '/hostile?list-type=2&continuation-token=xyz' }, 400, 'InvalidArgument'],
  ['XML that is none', deletion('<Delete><Object>'), 400, 'MalformedXML'],
  ['no XML', deletion(''), 400, 'MalformedXML'],
  ['other XML', deletion('<Other/>'), 400, 'MalformedXML'],
  ['nothing to delete', deletion('<Delete></Delete>'), 400, 'MalformedXML'],
  [
    'a document type',
    deletion('<!DOCTYPE a [<!ENTITY b "c">]><Delete><Object><Key>&b;</Key></Object></Delete>'),
    400,
    'MalformedXML',
  ],
  [
    'a thousand and one',
    deletion(`<Delete>${'<Object><Key>k</Key></Object>'.repeat(1001)}</Delete>`),
    400,
    'MalformedXML',
  ],
  ['a prototype', deletion('<Delete><__proto__><x>1</x></__proto__></Delete>'), 400, 'MalformedXML'],
  ['deep XML', deletion(`${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`), 400, 'MalformedXML'],
  ['XML that is not UTF-8', deletion('<Delete>\ud800</Delete>'), 400, 'MalformedXML'],
]

const chunked = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'content-encoding': 'aws-chunked' }
const inChunks = (body: string, length: number | string = 5, more: Record<string, string> = {}) =>
  put({ ...chunked, 'x-amz-decoded-content-length': String(length), ...more }, body)
const crc32 = { 'x-amz-trailer': 'x-amz-checksum-crc32' }

const chunkTable: readonly (readonly [string, Sent, number, string])[] = [
  ['chunks', inChunks('2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'), 200, ''],
  ['chunks with a checksum', inChunks('5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n', 5, crc32), 200, ''],
  [
    'a wrong trailing checksum',
    inChunks('5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n', 5, crc32),
    400,
    'BadDigest',
  ],
  ['a trailing checksum that is missing', inChunks('5\r\nhello\r\n0\r\n\r\n', 5, crc32), 400, 'InvalidArgument'],
  ['another trailing header', inChunks('0\r\n\r\n', 0, { 'x-amz-trailer': 'x-amz-meta-a' }), 400, 'InvalidRequest'],
  ['less than was announced', inChunks('2\r\nhe\r\n0\r\n\r\n'), 400, 'IncompleteBody'],
  ['more than was announced', inChunks('6\r\nhello!\r\n0\r\n\r\n'), 400, 'IncompleteBody'],
  ['no announcement', put({ ...chunked }, '0\r\n\r\n'), 411, 'MissingContentLength'],
  ['no chunks', inChunks('hello'), 400, 'IncompleteBody'],
  ['a chunk that is cut', inChunks('5\r\nhel'), 400, 'IncompleteBody'],
  ['a chunk longer than it says', inChunks('2\r\nhello\r\n0\r\n\r\n'), 400, 'IncompleteBody'],
  ['no last chunk', inChunks('5\r\nhello\r\n'), 400, 'IncompleteBody'],
  ['a size of many digits', inChunks('fffffffffffffffff\r\nx'), 400, 'IncompleteBody'],
  ['an endless line', inChunks('0'.repeat(100_000)), 400, 'IncompleteBody'],
  [
    'signed chunks of a bearer',
    put({ 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }),
    400,
    'InvalidArgument',
  ],
]

test('hostile requests get the documented errors, and leave nothing', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { instance } = await makeStorage(server, server.a)
  const headers = { 'ibm-service-instance-id': instance.guid }
  assert.equal((await send(server, { method: 'PUT', path: '/hostile', headers })).status, 200)
  for (const [name, sent, status, code] of [...table, ...chunkTable]) {
    const answer = await send(server, sent)
    assert.deepEqual([answer.status, answer.code], [status, code], `${name}: ${answer.text}`)
  }
  const location = { method: 'PUT', path: '/elsewhere', headers }
  const body = '<CreateBucketConfiguration><LocationConstraint>Mars!</LocationConstraint></CreateBucketConfiguration>'
  assert.equal((await send(server, { ...location, body })).code, 'InvalidLocationConstraint')

  // What was refused after some of it had been written has left no file; the one that is there is k's.
  const folder = join(server.folder, 'objects')
  const files = readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)))
  assert.equal(files.length, 1)
  assert.match(files[0] ?? '', /^[0-9a-f-]{36}$/)
  assert.doesNotMatch(server.output(), /a bug of ours/)
})

test('a signature covers all that it should, in time and in chunks', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { instance, key } = await makeStorage(server, server.a)
  await send(server, { method: 'PUT', path: '/signed', headers: { 'ibm-service-instance-id': instance.guid } })
  const { access_key_id: id, secret_access_key: secret } = key.credentials.cos_hmac_keys
  const signer = makeSigner(new URL(server.bootstrap.endpoints.cos).host, id, secret)

  const good = signer.sign({})
  assert.equal((await send(server, good)).status, 200)
  const refused = async (sent: Sent, code: string) => {
    const answer = await send(server, sent)
    const status = code === 'BadDigest' || code === 'XAmzContentSHA256Mismatch' ? 400 : 403
    assert.deepEqual([answer.status, answer.code], [status, code], answer.text)
  }
  await refused({ ...good, body: 'other' }, 'XAmzContentSHA256Mismatch')
  await refused({ ...good, path: '/signed/other' }, 'SignatureDoesNotMatch')
  await refused({ ...good, path: '/signed/k?x=1' }, 'SignatureDoesNotMatch')
  await refused({ ...good, method: 'POST' }, 'SignatureDoesNotMatch')
  await refused({ ...good, headers: { ...good.headers, host: 'elsewhere' } }, 'SignatureDoesNotMatch')
  await refused({ ...good, headers: { ...good.headers, 'x-amz-meta-added': '1' } }, 'AccessDenied')
  await refused(signer.sign({ minutes: -16 }), 'RequestTimeTooSkewed')
  await refused(signer.sign({ minutes: 16 }), 'RequestTimeTooSkewed')
  assert.equal((await send(server, signer.sign({ minutes: -14 }))).status, 200)
  await refused(makeSigner(signer.host, '0'.repeat(32), secret).sign({}), 'InvalidAccessKeyId')
  await refused(makeSigner(signer.host, id, `${secret.slice(1)}0`).sign({}), 'SignatureDoesNotMatch')

  const chunks = signer.signChunks(['a'.repeat(70_000), 'b', 'c'.repeat(9000)], { 'x-amz-checksum-crc32c': 'x' })
  await refused(chunks, 'BadDigest')
  const plain = signer.signChunks(['a'.repeat(70_000), 'b', 'c'.repeat(9000)], null)
  assert.equal((await send(server, plain)).status, 200)
  const { text } = await send(server, { path: '/signed/k' })
  assert.equal(text, `${'a'.repeat(70_000)}b${'c'.repeat(9000)}`)
  await refused({ ...plain, body: plain.body?.replace('aaa', 'aba') ?? '' }, 'SignatureDoesNotMatch')
  await refused({ ...plain, body: plain.body?.replace(/\r\nb\r\n/, '\r\nx\r\n') ?? '' }, 'SignatureDoesNotMatch')
  assert.equal((await send(server, { path: '/signed/k' })).text, text)
})

const hmac = (k: string | Buffer, text: string) => createHmac('sha256', k).update(text).digest()
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** Signature Version 4 of one PUT, written down once more from its documentation: the server's own code proves nothing. */
function makeSigner(host: string, id: string, secret: string) {
  const signWith = (payload: string, extra: Record<string, string>, minutes: number) => {
    const time = new Date(Date.now() + minutes * 60_000).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
    const scope = `${time.slice(0, 8)}/us-south/s3/aws4_request`
    const headers = { host, 'x-amz-content-sha256': payload, 'x-amz-date': time, ...extra }
    const names = Object.keys(headers).toSorted()
    const lines = names.map((name) => `${name}:${headers[name as keyof typeof headers]}\n`)
    const canonical = ['PUT', '/signed/k', '', lines.join(''), names.join(';'), payload].join('\n')
    const signingKey = scope.split('/').reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${secret}`)
    const sign = (text: string) => hmac(signingKey as Buffer, text).toString('hex')
    const signature = sign(['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n'))
    const credential = `Credential=${id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
    return { headers: { ...headers, authorization: `AWS4-HMAC-SHA256 ${credential}` }, sign, signature, time, scope }
  }
  return {
    host,
    sign({ minutes = 0, body = 'signed' }): Sent {
      const { headers } = signWith(sha256(body), {}, minutes)
      return { method: 'PUT', path: '/signed/k', headers, body }
    },
    signChunks(chunks: readonly string[], trailer: Record<string, string> | null): Sent {
      const kind = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer ? '-TRAILER' : ''}`
      const length = { 'x-amz-decoded-content-length': String(chunks.join('').length) }
      const named = trailer ? { 'x-amz-trailer': Object.keys(trailer).join() } : {}
      const { headers, sign, signature, time, scope } = signWith(kind, { ...length, ...named }, 0)
      let [previous, body] = [signature, '']
      for (const chunk of [...chunks, '']) {
        const text = ['AWS4-HMAC-SHA256-PAYLOAD', time, scope, previous, sha256(''), sha256(chunk)].join('\n')
        previous = sign(text)
        body += `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}${chunk === '' ? '' : '\r\n'}`
      }
      const trailing = Object.entries(trailer ?? {}).map(([name, value]) => `${name}:${value}\n`)
      if (trailer) {
        const text = ['AWS4-HMAC-SHA256-TRAILER', time, scope, previous, sha256(trailing.join(''))].join('\n')
        body += `${trailing.join('').replaceAll('\n', '\r\n')}x-amz-trailer-signature:${sign(text)}\r\n`
      }
      return { method: 'PUT', path: '/signed/k', headers, body: `${body}\r\n` }
    },
  }
}

test('a connection that is cut in the middle of a body leaves nothing', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { instance } = await makeStorage(server, server.a)
  const cos = server.bootstrap.endpoints.cos
  const bearer = ['-H', `Authorization: Bearer ${await server.a.token()}`]
  assert.equal(
    curl(`${cos}/cut`, '-X', 'PUT', ...bearer, '-H', `ibm-service-instance-id: ${instance.guid}`).status,
    200,
  )
  const { hostname, port } = new URL(cos)
  const headers = { authorization: `Bearer ${await server.a.token()}`, 'content-length': '1000000' }
  await new Promise<void>((resolve) => {
    const sent = request({ hostname, port, method: 'PUT', path: '/cut/k', headers })
    sent.on('error', () => resolve()).on('close', () => resolve())
    sent.write('x'.repeat(100_000), () => setTimeout(() => sent.destroy(), 200))
  })
  const folder = join(server.folder, 'objects')
  const left = () => readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)))
  while (left().length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(curl(`${cos}/cut/k`, ...bearer).status, 404)
  assert.doesNotMatch(server.output(), /a bug of ours/)
})
