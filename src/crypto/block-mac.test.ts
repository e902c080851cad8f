import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { evpBlockMac, makeBlockMac, portableBlockMac } from './block-mac.ts'
import { SecretBytes } from './secret-bytes.ts'

const keyOf = (bytes: Uint8Array): SecretBytes => SecretBytes.copyOf(bytes)
const hasFfi = process.getBuiltinModule('node:ffi') !== undefined

test('both engines are HMAC-SHA256 of the place and the block, whatever came before', () => {
  const place = fc.record({ kind: fc.nat(255), level: fc.nat(255), number: fc.nat({ max: 2 ** 50 }) })
  const block = fc.uint8Array({ minLength: 1, maxLength: 5000 })
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(fc.tuple(place, block), { minLength: 1 }),
      (bytes, calls) => {
        using key = keyOf(bytes)
        using portable = portableBlockMac(key)
        using made = makeBlockMac(key)
        for (const [{ kind, level, number }, data] of calls) {
          const head = Buffer.alloc(16)
          head.set([kind, level])
          head.writeBigUInt64LE(BigInt(number), 8)
          const expected = createHmac('sha256', bytes).update(head).update(data).digest()
          for (const mac of [portable, made])
            assert.deepEqual(Buffer.from(mac.tag({ kind, level, number }, data)), expected)
        }
      },
    ),
    { numRuns: 30 },
  )
})

test('the engine on OpenSSL ends once and is not used after it', { skip: !hasFfi }, () => {
  using key = keyOf(new Uint8Array(32))
  const mac = evpBlockMac(key)
  assert.ok(mac)
  mac[Symbol.dispose]()
  mac[Symbol.dispose]()
  assert.throws(() => mac.tag({ kind: 1, level: 0, number: 0 }, new Uint8Array(16)), /not used after its end/)
})
