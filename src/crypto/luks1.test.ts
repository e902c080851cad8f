// What cryptsetup formats as LUKS1 opens here, what is formatted here opens there, and a header that a stranger made opens
// nothing and costs no more than it may.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { systemRandom } from '#base/random.ts'
import { formatLuks1, luks1BytesMax, openLuks1 } from './luks1.ts'
import { SecretBytes } from './secret-bytes.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyward-luks1-'))
after(() => rmSync(folder, { recursive: true }))

const image = join(folder, 'image')
const keyFile = join(folder, 'passphrase')
const secret = 'a passphrase of many words'
const passphrase = SecretBytes.copyOf(Buffer.from(secret))
writeFileSync(keyFile, secret)
const uuid = '5c0f3c52-7c22-4d0f-9f8e-6a1b2c3d4e5f'

function cryptsetup(...args: readonly string[]): void {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
  const { error, status, stderr } = spawnSync('cryptsetup', args, { encoding: 'utf8', env })
  if (error !== undefined) throw new Error('cryptsetup does not run: install it (Debian: cryptsetup-bin)')
  assert.equal(status, 0, `cryptsetup ${args.join(' ')}: ${stderr}`)
}

const keyOf = (path: string): Uint8Array => {
  const out = join(folder, 'volume-key')
  rmSync(out, { force: true })
  cryptsetup('luksDump', '--batch-mode', '--dump-master-key', '--key-file', keyFile, '--master-key-file', out, path)
  return readFileSync(out)
}

for (const hash of ['sha256', 'sha384', 'sha512']) {
  test(`what cryptsetup formats with ${hash} opens with its passphrase and with no other`, async () => {
    writeFileSync(image, '')
    truncateSync(image, 8 * 1024 * 1024)
    const cipher = ['--cipher', 'aes-xts-plain64', '--key-size', '512', '--hash', hash]
    const quick = ['--batch-mode', '--pbkdf-force-iterations', '1000', '--key-file', keyFile]
    cryptsetup('luksFormat', '--type', 'luks1', ...cipher, ...quick, image)
    using volumeKey = await openLuks1(readFileSync(image), passphrase)
    assert.ok(volumeKey)
    assert.deepEqual(
      volumeKey.use((bytes) => Buffer.from(bytes)),
      Buffer.from(keyOf(image)),
    )
    using other = SecretBytes.copyOf(Buffer.from(`${secret}\n`))
    assert.equal(await openLuks1(readFileSync(image), other), null)
  })
}

const format = (volumeKey = SecretBytes.random(systemRandom, 64)): Buffer =>
  Buffer.from(formatLuks1({ passphrase, volumeKey, uuid, random: systemRandom }))

test('what is formatted here opens in cryptsetup', async () => {
  using volumeKey = SecretBytes.random(systemRandom, 64)
  writeFileSync(image, Buffer.concat([format(volumeKey), Buffer.alloc(1024 * 1024)]))
  assert.deepEqual(
    Buffer.from(keyOf(image)),
    volumeKey.use((bytes) => Buffer.from(bytes)),
  )
})

const broken: readonly (readonly [string, (header: Buffer) => Buffer])[] = [
  ['nothing', () => Buffer.alloc(0)],
  ['a torn one', (header) => header.subarray(0, 591)],
  ['one without its areas', (header) => header.subarray(0, 4096)],
  ['another magic', (header) => header.fill(0, 0, 6)],
  ['another version', (header) => header.fill(2, 7, 8)],
  ['another cipher', (header) => header.fill('twofish\0', 8, 16)],
  ['another mode', (header) => header.fill('cbc-essiv:sha256\0', 40, 57)],
  ['another hash', (header) => header.fill('ripemd160\0', 72, 82)],
  ['a short key', (header) => header.fill(32, 111, 112)],
  ['no iterations', (header) => header.fill(0, 164, 168)],
  ['a slot with an area before its header', (header) => header.fill(0, 248, 252)],
  ['a slot with an area far away', (header) => header.fill(0xff, 248, 252)],
  ['a slot of other stripes', (header) => header.fill(0xff, 252, 256)],
  ['work for years', (header) => header.fill(0xff, 212, 216)],
  ['work for years in the digest', (header) => header.fill(0xff, 164, 168)],
]
for (const [name, breakIt] of broken) {
  test(`a header with ${name} is refused`, async () => {
    const refusal = (error: unknown): boolean => error instanceof Fault && error.code === 'unprocessable'
    await assert.rejects(openLuks1(breakIt(format()), passphrase), refusal)
  })
}

test('a volume key that was changed under its digest does not come out', async () => {
  const header = format()
  for (const at of [4096, 4096 + 100_000, 132]) {
    const changed = Buffer.from(header)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(await openLuks1(changed, passphrase), null)
  }
  assert.ok(header.length < luks1BytesMax)
})
