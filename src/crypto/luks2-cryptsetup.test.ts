// The other reader and writer of LUKS2 is cryptsetup: what we format must open there, what it formats must open here.
// It works on plain files without device-mapper and without privileges, also when it re-encrypts (offline).

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemRandom } from '#base/random.ts'
import { formatLuks2, luks2DataOffsetBytes, luks2HeaderReadBytes, openLuks2 } from './luks2.ts'
import { SecretBytes } from './secret-bytes.ts'
import { makeSectorCipher } from './sector-cipher.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyward-luks2-'))
after(() => rmSync(folder, { recursive: true }))

const image = join(folder, 'image')
const keyFile = join(folder, 'passphrase')
const passphrase = SecretBytes.random(systemRandom, 32)
const volumeKey = SecretBytes.random(systemRandom, 64)
const uuid = '5c0f3c52-7c22-4d0f-9f8e-6a1b2c3d4e5f'
const dataBytes = 1024 * 1024

before(() => {
  passphrase.use((bytes) => writeFileSync(keyFile, bytes))
})

/** The sbin folders are not on everybody's path. */
const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }

function cryptsetup(...args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync('cryptsetup', args, { encoding: 'utf8', env: environment })
  if (error !== undefined)
    throw new Error('cryptsetup does not run: install it (Debian: cryptsetup-bin)', { cause: error })
  assert.equal(status, 0, `cryptsetup ${args.join(' ')}: ${stderr}`)
  return stdout
}

function writeImage(bytes: Uint8Array): void {
  writeFileSync(image, bytes)
  truncateSync(image, luks2DataOffsetBytes + dataBytes)
}

const ourHeader = (): Uint8Array => {
  const tokens = [{ type: 'keyward-test', note: 'anybody reads this' }]
  return formatLuks2({ passphrase, volumeKey, uuid, label: 'a volume', random: systemRandom, tokens })
}

const open = (): ReturnType<typeof openLuks2> =>
  openLuks2(readFileSync(image).subarray(0, luks2HeaderReadBytes), passphrase)

function volumeKeyOf(file: string): SecretBytes {
  const out = join(folder, 'volume-key')
  rmSync(out, { force: true })
  cryptsetup('luksDump', '--batch-mode', '--dump-volume-key', '--volume-key-file', out, '--key-file', keyFile, file)
  return SecretBytes.own(readFileSync(out))
}

test('cryptsetup shows and opens an image of ours, and finds the same volume key', () => {
  writeImage(ourHeader())
  const dump = cryptsetup('luksDump', image)
  const parts = [
    uuid,
    'a volume',
    'aes-xts-plain64',
    'sector: 4096',
    'offset: 16777216',
    'Iterations: 1000',
    'keyward-test',
  ]
  for (const part of parts) assert.ok(dump.replaceAll(/[ \t]+/g, ' ').includes(part), `${part} in ${dump}`)
  cryptsetup('open', '--test-passphrase', '--key-file', keyFile, image)
  assert.ok(volumeKeyOf(image).equals(volumeKey))
})

test('cryptsetup refuses another passphrase for an image of ours', () => {
  writeImage(ourHeader())
  const other = join(folder, 'other')
  writeFileSync(other, systemRandom.bytes(32))
  assert.throws(() => cryptsetup('open', '--test-passphrase', '--key-file', other, image), /No key available/)
})

test('cryptsetup too opens an image of ours with one torn header copy', () => {
  for (const begin of [0, 16_384]) {
    const header = ourHeader()
    header.fill(0, begin, begin + 16_384)
    writeImage(header)
    assert.ok(open().volumeKey.equals(volumeKey))
    cryptsetup('open', '--test-passphrase', '--key-file', keyFile, image)
  }
})

const derivations = {
  pbkdf2: ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'],
  'pbkdf2 with SHA-512': ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--hash', 'sha512'],
  argon2id: [
    '--pbkdf',
    'argon2id',
    '--pbkdf-force-iterations',
    '4',
    '--pbkdf-memory',
    '16384',
    '--pbkdf-parallel',
    '2',
  ],
  argon2i: ['--pbkdf', 'argon2i', '--pbkdf-force-iterations', '4', '--pbkdf-memory', '16384', '--pbkdf-parallel', '1'],
}

for (const [name, options] of Object.entries(derivations)) {
  for (const sectorBytes of [512, 4096]) {
    test(`openLuks2() opens what cryptsetup formats with ${name} and sectors of ${sectorBytes}`, () => {
      writeImage(new Uint8Array())
      const how = [
        '--batch-mode',
        '--type',
        'luks2',
        '--key-size',
        '512',
        '--sector-size',
        `${sectorBytes}`,
        ...options,
      ]
      cryptsetup('luksFormat', ...how, '--uuid', uuid, '--key-file', keyFile, image)
      const opened = open()
      assert.ok(opened.volumeKey.equals(volumeKeyOf(image)))
      assert.equal(opened.sectorBytes, sectorBytes)
      assert.equal(opened.dataOffsetBytes, luks2DataOffsetBytes)
      assert.equal(opened.uuid, uuid)
    })
  }
}

test('openLuks2() opens the second of two key slots and larger headers', () => {
  writeImage(new Uint8Array())
  const first = join(folder, 'first')
  writeFileSync(first, 'another passphrase')
  const format = ['--batch-mode', '--type', 'luks2', '--luks2-metadata-size', '64k', ...derivations.pbkdf2]
  cryptsetup('luksFormat', ...format, '--key-size', '512', '--key-file', first, image)
  cryptsetup('luksAddKey', '--batch-mode', ...derivations.argon2id, '--key-file', first, image, keyFile)
  assert.ok(open().volumeKey.equals(volumeKeyOf(image)))
})

test('an image whose volume key is for AES-128 is a Fault', () => {
  writeImage(new Uint8Array())
  const format = ['--batch-mode', '--type', 'luks2', '--key-size', '256', ...derivations.pbkdf2]
  cryptsetup('luksFormat', ...format, '--key-file', keyFile, image)
  assert.throws(open, { name: 'Fault', code: 'unprocessable' })
})

test('sectors that we encrypt are what cryptsetup reads: it re-encrypts them and we read them back', () => {
  writeImage(ourHeader())
  const plain = systemRandom.bytes(dataBytes)
  const data = plain.slice()
  {
    using cipher = makeSectorCipher(volumeKey, 4096)
    cipher.encrypt(data, 0)
  }
  const bytes = readFileSync(image)
  bytes.set(data, luks2DataOffsetBytes)
  writeFileSync(image, bytes)

  const how = ['--batch-mode', '--force-offline-reencrypt', '--disable-locks', ...derivations.pbkdf2]
  cryptsetup('reencrypt', ...how, '--key-file', keyFile, image)
  const opened = open()
  assert.ok(!opened.volumeKey.equals(volumeKey))
  using cipher = makeSectorCipher(opened.volumeKey, opened.sectorBytes)
  const read = new Uint8Array(readFileSync(image).subarray(opened.dataOffsetBytes))
  cipher.decrypt(read, 0)
  assert.equal(Buffer.compare(read, plain), 0)
})
