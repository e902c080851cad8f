// The examples of Amazon's documentation, as vectors: "Examples: Signature Calculations in AWS Signature Version 4" and
// "Transferring Payload in Multiple Chunks". What clients do by themselves is in test/cos-*.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { decodeChunks } from './chunks.ts'
import { checkTime, isSignedBy, readSignature, sha256, signingKey } from './signature.ts'

const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const scope = '20130524/us-east-1/s3/aws4_request'
const host = 'examplebucket.s3.amazonaws.com'
const time = '20130524T000000Z'
const empty = sha256('')

const authorization = (signedHeaders: string, signature: string): string =>
  `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/${scope},SignedHeaders=${signedHeaders},Signature=${signature}`

interface Example {
  readonly method: string
  readonly path: string
  readonly search: string
  readonly headers: Readonly<Record<string, string>>
}

const request = (
  [method, path, search = '']: readonly [string, string, string?],
  headers: Readonly<Record<string, string>>,
  signature: string,
): Example => {
  const signed = Object.keys(headers).concat('host', 'x-amz-date').toSorted().join(';')
  const all = { ...headers, host, 'x-amz-date': time, authorization: authorization(signed, signature) }
  return { method, path, search, headers: all }
}

const chunked = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const seed = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'

const examples: Readonly<Record<string, readonly [Example, string]>> = {
  'GET of a range': [
    request(
      ['GET', '/test.txt'],
      { range: 'bytes=0-9', 'x-amz-content-sha256': empty },
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ),
    empty,
  ],
  'PUT of a name with a dollar': [
    request(
      ['PUT', '/test$file.text'],
      {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-content-sha256': sha256('Welcome to Amazon S3.'),
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ),
    sha256('Welcome to Amazon S3.'),
  ],
  'GET of a subresource': [
    request(
      ['GET', '/', 'lifecycle'],
      { 'x-amz-content-sha256': empty },
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ),
    empty,
  ],
  'GET of a list': [
    request(
      ['GET', '/', 'max-keys=2&prefix=J'],
      { 'x-amz-content-sha256': empty },
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ),
    empty,
  ],
  'a presigned GET': [
    {
      method: 'GET',
      path: '/test.txt',
      search:
        'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        `&X-Amz-Date=${time}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host` +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
      headers: { host },
    },
    'UNSIGNED-PAYLOAD',
  ],
  'PUT in chunks': [
    {
      method: 'PUT',
      path: '/examplebucket/chunkObject.txt',
      search: '',
      headers: {
        'content-encoding': 'aws-chunked',
        'content-length': '66824',
        host: 's3.amazonaws.com',
        'x-amz-content-sha256': chunked,
        'x-amz-date': time,
        'x-amz-decoded-content-length': '66560',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        authorization: authorization(
          'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
          seed,
        ),
      },
    },
    chunked,
  ],
}

const key = signingKey(secret, scope)

for (const [name, [example, payload]] of Object.entries(examples)) {
  test(`the documented signature of ${name} is that, and no other request has it`, () => {
    const signed = readSignature(example)
    assert.ok(signed)
    assert.equal(signed.accessKeyId, 'AKIAIOSFODNN7EXAMPLE')
    assert.equal(isSignedBy(key, signed, example, payload), true)
    assert.equal(isSignedBy(signingKey(`${secret}x`, scope), signed, example, payload), false)
    assert.equal(isSignedBy(key, signed, { ...example, method: 'POST' }, payload), false)
    assert.equal(isSignedBy(key, signed, { ...example, path: `${example.path}x` }, payload), false)
    assert.equal(isSignedBy(key, signed, { ...example, search: `${example.search}&x=1` }, payload), false)
    assert.equal(isSignedBy(key, signed, example, sha256('x')), false)
    for (const header of signed.signedHeaders) {
      const headers = { ...example.headers, [header]: `${example.headers[header]}x` }
      assert.equal(isSignedBy(key, signed, { ...example, headers }, payload), false, header)
    }
  })
}

test('times: a quarter of an hour around now, and until a presigned URL ends', () => {
  const at = Date.UTC(2013, 4, 24)
  const minute = 60_000
  const signature = '0'.repeat(64)
  const signed = { accessKeyId: 'A', scope, time, signedHeaders: ['host'], signature, expiresSeconds: null }
  for (const now of [at - 15 * minute, at + 15 * minute]) checkTime(signed, now)
  for (const now of [at - 16 * minute, at + 16 * minute]) {
    assert.throws(
      () => checkTime(signed, now),
      (fault: Fault) => fault.reason === 'RequestTimeTooSkewed',
    )
  }
  const presigned = { ...signed, expiresSeconds: 60 }
  for (const now of [at - 15 * minute, at + minute]) checkTime(presigned, now)
  for (const now of [at - 16 * minute, at + 61_000]) assert.throws(() => checkTime(presigned, now), Fault)
})

const chunkSignatures = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
]
const chunks = ['a'.repeat(65_536), 'a'.repeat(1024), '']
const body = chunks
  .map((chunk, at) => `${chunk.length.toString(16)};chunk-signature=${chunkSignatures[at]}\r\n${chunk}\r\n`)
  .join('')

async function decoded(bytes: Buffer, step: number): Promise<string> {
  async function* source() {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
  }
  const pieces: Uint8Array[] = []
  const signing = { key, time, scope, seed, hasTrailer: false }
  for await (const piece of decodeChunks(source(), signing, () => {})) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test('the documented chunks, however they are cut on the way; another byte is refused', async () => {
  for (const step of [1, 7, 1000, 100_000]) {
    assert.equal(await decoded(Buffer.from(body), step), chunks.join(''), `in pieces of ${step}`)
  }
  for (const at of [100, 65_600, 66_000]) {
    const other = Buffer.from(body)
    other[at] = (other[at] ?? 0) ^ 1
    await assert.rejects(decoded(other, 1000), Fault)
  }
  await assert.rejects(decoded(Buffer.from(body.slice(0, -100)), 1000), Fault)
})
