import assert from 'node:assert/strict'
import { createDecipheriv, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { checked } from './checked.ts'
import { Fenced } from './device.ts'
import { encrypted } from './encrypted.ts'
import { memoryDevice } from './testing/memory-device.ts'

const sectorBytes = 4096
const sizeBytes = 160 * sectorBytes
const key = randomBytes(64)

function make(turns = () => 0) {
  const store = memoryDevice({ sizeBytes, turns })
  const cipher = makeSectorCipher(SecretBytes.own(new Uint8Array(key)), sectorBytes)
  return { store, device: encrypted(checked(store, sectorBytes), cipher) }
}

function decryptSector(ciphertext: Uint8Array, sector: number): Buffer {
  const tweak = Buffer.alloc(16)
  tweak.writeBigUInt64LE(BigInt(sector * (sectorBytes / 512)))
  return createDecipheriv('aes-256-xts', key, tweak).update(ciphertext)
}

test('what is written is stored as dm-crypt stores it and reads back', async () => {
  const { store, device } = make()
  const data = randomBytes(130 * sectorBytes)
  const before = Buffer.from(data)
  await device.write(data, 3 * sectorBytes)
  assert.ok(data.equals(before), 'the client’s bytes are left alone')
  for (const sector of [0, 63, 64, 129]) {
    const at = (sector + 3) * sectorBytes
    const plain = decryptSector(store.bytes.subarray(at, at + sectorBytes), sector + 3)
    assert.ok(plain.equals(data.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)))
  }
  const read = new Uint8Array(data.length)
  await device.read(read, 3 * sectorBytes)
  assert.ok(Buffer.from(read).equals(data))
})

test('sectors that were never written read as zeros, between others too', async () => {
  const { device } = make()
  const data = randomBytes(sectorBytes)
  await device.write(data, sectorBytes)
  await device.write(data, 4 * sectorBytes)
  const read = Buffer.alloc(6 * sectorBytes, 0xff)
  await device.read(read, 0)
  const zeros = Buffer.alloc(sectorBytes)
  assert.ok(read.equals(Buffer.concat([zeros, data, zeros, zeros, data, zeros])))
})

test('zero() stores encrypted zeros, trim() leaves a hole; both read as zeros', async () => {
  const { store, device } = make()
  await device.write(randomBytes(sizeBytes), 0)
  await device.zero(0, 100 * sectorBytes)
  await device.trim(100 * sectorBytes, 2 * sectorBytes)
  const read = Buffer.alloc(102 * sectorBytes, 0xff)
  await device.read(read, 0)
  assert.ok(read.equals(Buffer.alloc(read.length)))
  for (const sector of [0, 63, 64, 99]) {
    const at = sector * sectorBytes
    const stored = store.bytes.subarray(at, at + sectorBytes)
    assert.ok(decryptSector(stored, sector).equals(Buffer.alloc(sectorBytes)))
  }
  assert.ok(store.bytes.subarray(100 * sectorBytes, 102 * sectorBytes).every((byte) => byte === 0))
})

test('after wipe() nothing succeeds, not even what is under way', async () => {
  const { device } = make(() => 2)
  await device.write(randomBytes(sectorBytes), 0)
  const reading = device.read(new Uint8Array(sectorBytes), 0)
  const zeroing = device.zero(0, sizeBytes)
  device.wipe()
  device.wipe()
  await assert.rejects(reading, Fenced)
  await assert.rejects(zeroing, Fenced)
  await assert.rejects(device.write(new Uint8Array(sectorBytes), 0), Fenced)
  await assert.rejects(device.trim(0, sectorBytes), Fenced)
  await device.close()
})
