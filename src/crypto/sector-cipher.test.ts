// Vectors: IEEE Std 1619-2007, annex B, and Wycheproof. The oracle is `aes-256-xts` of node:crypto, sector by sector.

import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BrokenAssertion } from '#base/assert.ts'
import { systemRandom } from '#base/random.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { evpXts } from './evp-xts.ts'
import { SecretBytes } from './secret-bytes.ts'
import { makeSectorCipher } from './sector-cipher.ts'
import { portableXts, unitXts } from './xts-engine.ts'
import type { XtsEngine } from './xts-engine.ts'

// The product runs on a Node that has node:ffi; where it is missing, only the portable path can be tested, and says so.
const hasFfi = process.getBuiltinModule('node:ffi') !== undefined
const paths = hasFfi ? (['portable', 'ffi', 'auto'] as const) : (['portable', 'auto'] as const)

test('this process has the fast path', { skip: hasFfi ? false : 'node:ffi is not in this Node' }, () => {
  using key = SecretBytes.random(systemRandom, 64)
  using cipher = makeSectorCipher(key, 4096, 'ffi')
  assert.equal(cipher.sectorBytes, 4096)
})

for (const vector of readVectors('aes-xts')) {
  for (const path of paths) {
    test(`a cipher on the ${path} path agrees with ${vector.file}`, () => {
      using key = SecretBytes.own(vector.hex('key'))
      using cipher = makeSectorCipher(key, 512, path)
      const plain = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff)
      const data = plain.slice()
      cipher.encrypt(data, Number(vector.text('data-unit')))
      assert.deepEqual(data, vector.bytes)
      cipher.decrypt(data, Number(vector.text('data-unit')))
      assert.deepEqual(data, plain)
    })
  }
}

interface WycheproofTest {
  readonly tcId: number
  readonly key: string
  readonly iv: string
  readonly msg: string
  readonly ct: string
  readonly result: string
}

test('the engines for units of any length agree with Wycheproof wherever the tweak is a number of 64 bits', () => {
  const file = join(import.meta.dirname, '../../test/vectors/wycheproof/aes_xts_test.json')
  const { testGroups }: { testGroups: { keySize: number; ivSize: number; tests: WycheproofTest[] }[] } = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  const used = testGroups.filter((group) => group.keySize === 512 && group.ivSize <= 64).flatMap((group) => group.tests)
  const skipped = testGroups
    .filter((group) => group.keySize !== 512 || group.ivSize > 64)
    .flatMap((group) => group.tests)
  // Smaller keys and longer tweaks do not occur in our images. The counts notice a file that changed.
  assert.deepEqual([used.length, skipped.length], [33, 90])
  for (const { tcId, key: keyHex, iv, msg, ct, result } of used) {
    assert.equal(result, 'valid')
    using key = SecretBytes.own(Buffer.from(keyHex, 'hex'))
    const tweak = Buffer.from(iv.padEnd(16, '0'), 'hex').readBigUInt64LE()
    const engines = [unitXts(key), evpXts(key)].filter((engine): engine is XtsEngine => engine !== null)
    for (const engine of engines) {
      const data = Buffer.from(msg, 'hex')
      engine.apply('encrypt', data, data.length, tweak)
      assert.equal(data.toString('hex'), ct, `encrypting, tcId ${tcId}`)
      engine.apply('decrypt', data, data.length, tweak)
      assert.equal(data.toString('hex'), msg, `decrypting, tcId ${tcId}`)
      engine[Symbol.dispose]()
    }
  }
})

test('portableXts() equals unitXts() over several chunks, and both directions undo each other', () => {
  using key = SecretBytes.random(systemRandom, 64)
  using bulk = portableXts(key)
  using unit = unitXts(key)
  for (const [unitBytes, count] of [
    [512, 1000],
    [4096, 100],
  ] as const) {
    const plain = systemRandom.bytes(unitBytes * count)
    const [fast, slow] = [plain.slice(), plain.slice()]
    bulk.apply('encrypt', fast, unitBytes, 0xffff_ff00n)
    unit.apply('encrypt', slow, unitBytes, 0xffff_ff00n)
    assert.equal(Buffer.compare(fast, slow), 0)
    bulk.apply('decrypt', fast, unitBytes, 0xffff_ff00n)
    assert.equal(Buffer.compare(fast, plain), 0)
  }
})

/** What the ciphers must equal: one call of node:crypto for each sector, with the tweak worked out here. */
function encryptByHand(key: Uint8Array, data: Uint8Array, sectorBytes: number, firstSector: number): Uint8Array {
  const sectors = Array.from({ length: data.length / sectorBytes }, (_, i) => {
    const iv = Buffer.alloc(16)
    iv.writeBigUInt64LE((BigInt(firstSector) + BigInt(i)) * BigInt(sectorBytes / 512))
    return createCipheriv('aes-256-xts', key, iv).update(data.subarray(i * sectorBytes, (i + 1) * sectorBytes))
  })
  return new Uint8Array(Buffer.concat(sectors))
}

const firstSectors = fc.oneof(fc.nat(100), fc.integer({ min: 2 ** 29 - 4, max: 2 ** 29 }), fc.maxSafeNat())

for (const path of paths) {
  test(`a cipher on the ${path} path equals aes-256-xts call by call, for any key, data, offset and memory`, () => {
    const keys = fc
      .uint8Array({ minLength: 64, maxLength: 64 })
      .filter((k) => Buffer.compare(k.subarray(32), k.subarray(0, 32)) !== 0)
    const cases = fc.record({
      keyBytes: keys,
      sectorBytes: fc.constantFrom(512, 4096),
      sectorCount: fc.nat(5),
      firstSector: firstSectors,
      seed: fc.uint8Array({ minLength: 1, maxLength: 64 }),
      misalignment: fc.nat(17),
      makeMemory: fc.constantFrom<(count: number) => ArrayBufferLike>(
        (count) => new ArrayBuffer(count),
        (count) => new SharedArrayBuffer(count),
        (count) => new ArrayBuffer(count, { maxByteLength: 2 * count }),
      ),
    })
    fc.assert(
      fc.property(cases, ({ keyBytes, sectorBytes, sectorCount, firstSector, seed, misalignment, makeMemory }) => {
        const count = sectorBytes * sectorCount
        const memory = new Uint8Array(makeMemory(count + misalignment + 32))
        const data = memory.subarray(misalignment, misalignment + count)
        for (let i = 0; i < count; i += 1) data[i] = (seed[i % seed.length] ?? 0) + i
        const plain = data.slice()
        using key = SecretBytes.copyOf(keyBytes)
        using cipher = makeSectorCipher(key, sectorBytes, path)

        cipher.encrypt(data, firstSector)
        assert.equal(Buffer.compare(data, encryptByHand(keyBytes, plain, sectorBytes, firstSector)), 0)
        assert.ok(
          memory.subarray(0, misalignment).every((byte) => byte === 0),
          'nothing is written before the data',
        )
        assert.ok(
          memory.subarray(misalignment + count).every((byte) => byte === 0),
          'nothing is written after the data',
        )
        cipher.decrypt(data, firstSector)
        assert.equal(Buffer.compare(data, plain), 0)
      }),
      { numRuns: 200 },
    )
  })

  test(`a cipher on the ${path} path takes a slice of a pooled Buffer`, () => {
    using key = SecretBytes.random(systemRandom, 64)
    using cipher = makeSectorCipher(key, 512, path)
    const data = Buffer.from(systemRandom.bytes(512))
    assert.notEqual(data.buffer.byteLength, data.length)
    const expected = key.use((bytes) => encryptByHand(bytes, data, 512, 7))
    cipher.encrypt(data, 7)
    assert.equal(Buffer.compare(data, expected), 0)
  })

  test(`a cipher on the ${path} path keeps its own key and is not used after its end`, () => {
    const key = SecretBytes.random(systemRandom, 64)
    const cipher = makeSectorCipher(key, 512, path)
    const [before, after] = [new Uint8Array(512), new Uint8Array(512)]
    cipher.encrypt(before, 0)
    key[Symbol.dispose]()
    cipher.encrypt(after, 0)
    assert.deepEqual(after, before)
    cipher[Symbol.dispose]()
    cipher[Symbol.dispose]()
    assert.throws(() => cipher.encrypt(after, 0), BrokenAssertion)
    assert.throws(() => cipher.decrypt(after, 0), BrokenAssertion)
    assert.deepEqual(after, before)
  })

  test(`a cipher on the ${path} path asserts whole sectors and whole numbers`, () => {
    using key = SecretBytes.random(systemRandom, 64)
    using cipher = makeSectorCipher(key, 4096, path)
    assert.throws(() => cipher.encrypt(new Uint8Array(512), 0), BrokenAssertion)
    for (const sector of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(() => cipher.encrypt(new Uint8Array(4096), sector), BrokenAssertion)
    }
  })

  test(`makeSectorCipher() on the ${path} path refuses a key with equal halves`, () => {
    using key = SecretBytes.own(new Uint8Array(64))
    assert.throws(() => makeSectorCipher(key, 512, path), { name: 'Fault', code: 'unprocessable' })
  })
}
