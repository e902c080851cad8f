// A backup of everything the control plane knows: the database as it was at one moment, in one encrypted file. The server
// may run meanwhile. Volume images are not in it; with it, they open again.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import { backupKeyBytes, formatHead, sealStream } from '#crypto/backup-stream.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { MasterKeyProvider } from '#master-key/master-key.ts'
import { readRecords } from '#master-key/records.ts'
import { copyDatabase, countRows } from '#store/snapshot.ts'
import { openSqliteReads } from '#store/sqlite.ts'
import { joined, openFile, writeWhole } from './files.ts'
import { formatJson } from './manifest.ts'
import type { BackupManifest } from './manifest.ts'

export interface BackupParts {
  readonly databasePath: string
  readonly to: string
  readonly provider: MasterKeyProvider
  readonly clock: Clock
  readonly random: Random
  /** Name and version of the program, for whoever restores. */
  readonly program: string
}

export const backupPurpose = (id: string): string => `backup/${id}`

export async function backUp(parts: BackupParts): Promise<BackupManifest> {
  const { databasePath, to, provider, clock, random, program } = parts
  if (!existsSync(databasePath)) throw new Fault('not_found', `there is no database ${databasePath}`)
  if (existsSync(to)) throw new Fault('conflict', `${to} exists: a backup is never overwritten`)
  const id = makeHex32(random)
  // Beside the database, in a folder that is ours alone: the copy is as secret as the original.
  const copy = join(dirname(databasePath), `backup-${id}.db`)
  try {
    copyDatabase(databasePath, copy)
    using masterKey = await keyOf(copy, provider)
    using key = SecretBytes.random(random, backupKeyBytes)
    const createdAt = rfc3339(clock.now())
    const head = formatHead(
      formatJson({
        id,
        createdAt,
        masterKey: masterKey.record,
        sealedKey: Buffer.from(key.use((bytes) => masterKey.seal(backupPurpose(id), bytes))).toString('base64'),
      }),
    )
    const manifest = { program, createdAt, ...(await describe(copy)) }
    await writeWhole(to, sealed(key, head, manifest, copy))
    return manifest
  } finally {
    await rm(copy, { force: true })
  }
}

/** Of the copy, not of the database, which may have got another master key meanwhile. */
async function keyOf(copy: string, provider: MasterKeyProvider) {
  await using database = openSqliteReads(copy)
  const { current, next } = await readRecords(database)
  if (next) throw new Fault('unavailable', 'the master key is being replaced: a backup can be made when that is done')
  if (!current) throw new Fault('unavailable', 'the database does not say which master key it was sealed under')
  const key = await provider.find(current)
  if (key) return key
  throw new Fault('unavailable', `${provider.name} is not the one that this data folder was sealed under`)
}

async function describe(copy: string): Promise<Omit<BackupManifest, 'program' | 'createdAt'>> {
  const rows = countRows(copy)
  await using file = await openFile(copy)
  const hash = createHash('sha256')
  for (let part = await file.read(readBytes); part.length > 0; part = await file.read(readBytes)) hash.update(part)
  return { databaseBytes: file.byteCount, databaseSha256: hash.digest('hex'), rows: { ...rows } }
}

const readBytes = 1024 * 1024

async function* sealed(
  key: SecretBytes,
  head: Uint8Array,
  manifest: BackupManifest,
  copy: string,
): AsyncGenerator<Uint8Array> {
  const text = formatJson(manifest)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, text.length)
  await using file = await openFile(copy)
  yield head
  yield* sealStream(key, head, joined(Buffer.concat([length, text]), file))
}
