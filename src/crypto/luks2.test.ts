import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BrokenAssertion } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { systemRandom } from '#base/random.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import type { Vector } from '../../test/vectors/read-vectors.ts'
import { decodeLuks2Header, encodeLuks2Header } from './luks2-binary-header.ts'
import type { Luks2Header } from './luks2-binary-header.ts'
import { formatLuks2, luks2HeaderReadBytes, openLuks2 } from './luks2.ts'
import { SecretBytes } from './secret-bytes.ts'

const wrongPassphrase = { name: 'Fault', code: 'unprocessable', message: 'passphrase does not open the LUKS2 image' }
const badHeader = { name: 'Fault', code: 'unprocessable', message: /^LUKS2 header / }

const shake = (text: string, count: number): Buffer =>
  createHash('shake128', { outputLength: count }).update(text).digest()

for (const vector of readVectors('luks2')) {
  test(`LUKS2, ${vector.file}: ${vector.text('comment')}`, () => {
    using passphrase = SecretBytes.own(vector.hex('passphrase'))
    if (vector.text('expect') === 'formatted') {
      assert.equal(createHash('sha256').update(formatAsIn(vector, passphrase)).digest('hex'), vector.body.trim())
    } else if (vector.text('expect') === 'refused') {
      assert.throws(() => openLuks2(imageOf(vector), passphrase), wrongPassphrase)
    } else {
      using volumeKey = SecretBytes.own(vector.hex('volume-key'))
      const opened = openLuks2(imageOf(vector), passphrase)
      assert.ok(opened.volumeKey.equals(volumeKey))
      const expected = { dataOffsetBytes: 16 * 1024 * 1024, sectorBytes: 4096, uuid: vector.text('uuid') }
      assert.deepEqual({ ...opened, volumeKey: undefined }, { ...expected, volumeKey: undefined })
    }
  })
}

/** Lines `offset: hex`; bytes that no line gives are zero, and the key slot area is the SHAKE128 output of a text. */
function imageOf(vector: Vector): Uint8Array {
  const area = { offset: Number(vector.text('area-offset')), bytes: Number(vector.text('area-bytes')) }
  const image = new Uint8Array(area.offset + area.bytes)
  for (const line of vector.body.trim().split('\n')) {
    const [offset, hex = ''] = line.split(': ')
    image.set(Buffer.from(hex, 'hex'), Number(offset))
  }
  image.set(shake(vector.text('area-shake128'), area.bytes), area.offset)
  return image
}

function formatAsIn(vector: Vector, passphrase: SecretBytes): Uint8Array {
  const stream = shake(vector.text('random-shake128'), 300_000)
  let offset = 0
  const random = { bytes: (count: number) => new Uint8Array(stream.subarray(offset, (offset += count))) }
  const tokens: object[] = JSON.parse(vector.text('tokens'))
  using volumeKey = SecretBytes.own(vector.hex('volume-key'))
  return formatLuks2({ passphrase, volumeKey, uuid: vector.text('uuid'), label: vector.text('label'), tokens, random })
}

const uuid = '5c0f3c52-7c22-4d0f-9f8e-6a1b2c3d4e5f'
const passphrase = SecretBytes.random(systemRandom, 32)
const volumeKey = SecretBytes.random(systemRandom, 64)
const ours = formatLuks2({ passphrase, volumeKey, uuid, label: 'a volume', random: systemRandom })
const opensOurs = (image: Uint8Array): boolean => openLuks2(image, passphrase).volumeKey.equals(volumeKey)

test('openLuks2() gives back the volume key that formatLuks2() took, and no key to another passphrase', () => {
  assert.ok(opensOurs(ours))
  assert.throws(() => openLuks2(ours, SecretBytes.random(systemRandom, 32)), wrongPassphrase)
  assert.throws(() => openLuks2(ours, SecretBytes.own(new Uint8Array())), wrongPassphrase)
})

test('formatLuks2() writes neither passphrase nor volume key, and nothing twice', () => {
  for (const secret of [passphrase, volumeKey]) {
    secret.use((bytes) => assert.equal(Buffer.from(ours.buffer).indexOf(bytes.subarray(0, 16)), -1))
  }
  const again = formatLuks2({ passphrase, volumeKey, uuid, random: systemRandom })
  assert.notDeepEqual(again.subarray(32_768, 32_768 + 4096), ours.subarray(32_768, 32_768 + 4096))
})

test('formatLuks2() asserts what its callers owe', () => {
  const prototype = { passphrase, volumeKey, uuid, random: systemRandom }
  const wrong = [
    { uuid: 'not-a-uuid' },
    { label: 'x'.repeat(48) },
    { volumeKey: passphrase },
    { passphrase: SecretBytes.own(new Uint8Array(31)) },
    { tokens: [{}] },
    { tokens: [{ type: 'luks2-keyring' }] },
    { tokens: [{ type: 'long', text: 'x'.repeat(12_288) }] },
  ]
  for (const part of wrong) assert.throws(() => formatLuks2({ ...prototype, ...part }), BrokenAssertion)
})

const copyBytes = 16_384

/** An image whose copies have these sequence ids, or are torn in the middle. */
function withCopies(primary: bigint | 'torn', secondary: bigint | 'torn', torn = 'JSON'): Uint8Array {
  const image = ours.slice()
  for (const [i, copy] of [primary, secondary].entries()) {
    const sequenceId = copy === 'torn' ? 9n : copy
    const label = `copy ${i}`
    const header = { ...decodeLuks2Header(ours), sequenceId, label }
    const encoded = encodeLuks2Header(header, [new Uint8Array(64), new Uint8Array(64)])
    image.set(encoded.subarray(i * copyBytes, (i + 1) * copyBytes), i * copyBytes)
    if (copy === 'torn') image.fill(0, i * copyBytes + (torn === 'JSON' ? 4200 : 0), (i + 1) * copyBytes)
  }
  return image
}

test('openLuks2() takes the valid copy with the highest sequence id', () => {
  const labelOf = (image: Uint8Array): string => decodeLuks2Header(image).label
  assert.equal(labelOf(withCopies(1n, 1n)), 'copy 0')
  assert.equal(labelOf(withCopies(2n, 1n)), 'copy 0')
  assert.equal(labelOf(withCopies(1n, 2n)), 'copy 1')
  assert.equal(labelOf(withCopies(2n ** 64n - 1n, 2n ** 64n - 2n)), 'copy 0')
})

test('one torn copy, at its beginning or in its metadata, does not prevent opening', () => {
  for (const torn of ['JSON', 'beginning']) {
    assert.ok(opensOurs(withCopies('torn', 1n, torn)))
    assert.ok(opensOurs(withCopies(1n, 'torn', torn)))
    assert.throws(() => openLuks2(withCopies('torn', 'torn', torn), passphrase), badHeader)
  }
})

test('any flipped bit of one binary header leaves the other copy', () => {
  const { salt: _, ...expected } = { salt: null, ...decodeLuks2Header(ours) }
  for (const begin of [0, copyBytes]) {
    const image = ours.slice()
    for (let bit = begin * 8; bit < (begin + 512) * 8; bit += 1) {
      const flip = (): number => (image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      flip()
      assert.deepEqual(decodeLuks2Header(image), expected)
      flip()
    }
  }
})

test('bytes that are no LUKS2 image, or part of one, are a Fault', () => {
  const cuts = [0, 1, 4095, 4096, 16_383, 16_384, 32_768, 40_000, ours.length - 1].map((length) =>
    ours.subarray(0, length),
  )
  const others = [new Uint8Array(1_000_000), systemRandom.bytes(1_000_000)]
  const luks1 = ours.slice()
  luks1[7] = 1
  luks1[copyBytes + 7] = 1
  for (const image of [...cuts, ...others, luks1]) assert.throws(() => openLuks2(image, passphrase), badHeader)
})

test('openLuks2() reads nothing behind the part of the image that holds headers and key slots', () => {
  const image = new Uint8Array(luks2HeaderReadBytes)
  image.set(ours)
  assert.ok(opensOurs(image))
})

type Json = { [name: string]: Json } & Json[]

/** Our image with other metadata under valid checksums: what someone can make who wants us to stumble. */
function withJson(json: string, base: Luks2Header = decodeLuks2Header(ours)): Uint8Array {
  const image = ours.slice()
  image.set(encodeLuks2Header({ ...base, json }, [new Uint8Array(64), new Uint8Array(64)]))
  return image
}

function withChange(change: (metadata: Json) => void): Uint8Array {
  const metadata: Json = JSON.parse(decodeLuks2Header(ours).json)
  change(metadata)
  return withJson(JSON.stringify(metadata))
}

const set = (path: string, value: unknown): ((metadata: Json) => void) => {
  return (metadata) => {
    const names = path.split('.')
    const last = names.pop() ?? ''
    let place: Json | undefined = metadata
    for (const name of names) place = place?.[name]
    Object.assign(place ?? {}, { [last]: value })
  }
}

const argon2 = (part: object): object => {
  const salt = Buffer.alloc(32).toString('base64')
  return { type: 'argon2id', time: 4, memory: 1024, cpus: 1, salt, ...part }
}

const hostile: Record<string, (metadata: Json) => void> = {
  'iterations without end': set('keyslots.0.kdf.iterations', 4_294_967_295),
  'iterations just above the budget': set('keyslots.0.kdf.iterations', 10_000_001),
  'no iterations': set('keyslots.0.kdf.iterations', 0),
  'a digest of iterations without end': set('digests.0.iterations', 4_294_967_295),
  'a digest of no length': set('digests.0.digest', ''),
  'a digest of one byte': set('digests.0.digest', 'AA=='),
  'four tebibytes of memory': set('keyslots.0.kdf', argon2({ memory: 4_294_967_295 })),
  'more memory than the ceiling': set('keyslots.0.kdf', argon2({ memory: 1024 * 1024 + 1 })),
  'less memory than lanes need': set('keyslots.0.kdf', argon2({ memory: 7 })),
  'a thousand lanes': set('keyslots.0.kdf', argon2({ cpus: 1000, memory: 8000 })),
  'passes without end': set('keyslots.0.kdf', argon2({ time: 4_294_967_295 })),
  'a salt that Argon2 does not take': set('keyslots.0.kdf', argon2({ salt: 'AAAA' })),
  'fewer stripes': set('keyslots.0.af.stripes', 1),
  'more stripes': set('keyslots.0.af.stripes', 2 ** 31),
  'an area in the header': set('keyslots.0.area.offset', '0'),
  'an area behind the image': set('keyslots.0.area.offset', '999999999999999'),
  'an area that overlaps the data': set('segments.0.offset', '65536'),
  'an area too small for a key': set('keyslots.0.area.size', '4096'),
  'an area that is larger than the image': set('keyslots.0.area.size', '999999999999999'),
  'a negative offset': set('keyslots.0.area.offset', '-4096'),
  'an offset in floating point': set('keyslots.0.area.offset', '3e4'),
  'an offset of many digits': set('keyslots.0.area.offset', '9'.repeat(400)),
  'an offset that is a number': set('keyslots.0.area.offset', 32_768),
  'data between sectors': set('segments.0.offset', '16777217'),
  'sectors of 8 KiB': set('segments.0.sector_size', 8192),
  'another cipher': set('segments.0.encryption', 'cipher_null-ecb'),
  'sectors that do not count from zero': set('segments.0.iv_tweak', '8'),
  integrity: set('segments.0.integrity', { type: 'hmac(sha256)' }),
  'two segments': set('segments.1', {}),
  'no segment': set('segments', {}),
  'an encryption under way': set('config.requirements', { mandatory: ['online-reencrypt-v2'] }),
  'another size of metadata': set('config.json_size', '12287'),
  'no key slot': set('keyslots', {}),
  'only a slot of another kind': set('keyslots.0.type', 'reencrypt'),
  'only a slot that nobody tries': set('keyslots.0.priority', 0),
  'no digest for the slot': set('digests.0.keyslots', ['1']),
  'no digest for the segment': set('digests.0.segments', ['1']),
  'an inherited name for a slot': set('digests.0.keyslots', ['constructor']),
  'no configuration': set('config', null),
}

for (const [name, change] of Object.entries(hostile)) {
  test(`a hostile header with ${name} is a Fault at once`, () => {
    assert.throws(() => openLuks2(withChange(change), passphrase), badHeader)
  })
}

test('many expensive key slots share one budget', () => {
  const image = withChange((metadata) => {
    const slot = metadata['keyslots']?.['0']
    for (let i = 0; i < 20; i += 1) {
      set(`keyslots.${i}`, { ...slot, kdf: { ...slot?.['kdf'], iterations: 5_000_001, salt: 'AAAA' } })(metadata)
    }
    set(
      'digests.0.keyslots',
      Array.from({ length: 20 }, (_, i) => `${i}`),
    )(metadata)
  })
  assert.throws(() => openLuks2(image, passphrase), badHeader)
})

test('metadata that are no object are a Fault', () => {
  for (const json of [
    '',
    'null',
    '[]',
    '1',
    '"x"',
    '{',
    '{"a":1}{',
    '['.repeat(12_000),
    '{"__proto__":{"config":{}}}',
    '\ufffd',
  ]) {
    assert.throws(() => openLuks2(withJson(json), passphrase), badHeader)
  }
})

test('any value in any place of the metadata gives the volume key or a Fault', () => {
  const paths = pathsOf(JSON.parse(decodeLuks2Header(ours).json), [])
  const values = [
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    2 ** 40,
    '',
    '0',
    'x',
    '-1',
    '9'.repeat(30),
    [],
    ['0'],
    {},
    { type: 'x' },
    [null],
  ]
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.constantFrom(...values), (path, value) => {
      try {
        assert.ok(opensOurs(withChange(set(path, value))))
      } catch (error) {
        assert.ok(error instanceof Fault, String(error))
        assert.equal(error.code, 'unprocessable')
      }
    }),
    { numRuns: 400 },
  )
})

function pathsOf(value: unknown, path: readonly string[]): string[] {
  const here = path.length === 0 ? [] : [path.join('.')]
  if (typeof value !== 'object' || value === null) return here
  return [...here, ...Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]))]
}
