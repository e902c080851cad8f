// From a backup back to a data folder, or only to the knowledge that this would go. Everything is checked before the
// database gets its name: the seal of every chunk, the hash, the pages, the references, the number of rows, and that
// the master key opens every sealed record. A refusal leaves nothing behind.

import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import { backupKeyBytes, openStream, readHead } from '#crypto/backup-stream.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { MasterKey, MasterKeyProvider } from '#master-key/master-key.ts'
import { formatRecord, parseRecord, readRecords } from '#master-key/records.ts'
import { holdDataFolder } from '#store/data-folder.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import { checkDatabase, countRows } from '#store/snapshot.ts'
import { openSqliteReads } from '#store/sqlite.ts'
import { backupPurpose } from './backup.ts'
import { openFile, writeWhole } from './files.ts'
import { parseHead, parseManifest } from './manifest.ts'
import type { BackupManifest } from './manifest.ts'

export interface RestoreParts {
  readonly from: string
  readonly provider: MasterKeyProvider
  readonly tables: readonly SealedRows[]
}

/** Opens the backup completely, into a folder that is removed again. */
export async function verifyBackup(parts: RestoreParts): Promise<BackupManifest> {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-verify-'))
  try {
    return await unpack(parts, join(folder, 'keyward.db'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Into a folder that holds no database. What a server that is restored may hold too much of: docs/operations.md. */
export async function restore(parts: RestoreParts & { readonly dataFolder: string }): Promise<BackupManifest> {
  const folder = holdDataFolder(parts.dataFolder)
  try {
    const { databasePath } = folder
    if (existsSync(databasePath)) throw new Fault('conflict', `${databasePath} exists: a database is never overwritten`)
    const unchecked = `${databasePath}.restoring`
    try {
      const manifest = await unpack(parts, unchecked)
      await rename(unchecked, databasePath)
      return manifest
    } finally {
      await rm(unchecked, { force: true })
    }
  } finally {
    folder.release()
  }
}

async function unpack({ from, provider, tables }: RestoreParts, to: string): Promise<BackupManifest> {
  await using file = await openFile(from)
  const { head: headText, all } = await readHead(file)
  const head = parseHead(headText)
  using masterKey = await keyFor(head.masterKey, provider)
  using key = SecretBytes.own(masterKey.open(backupPurpose(head.id), Buffer.from(head.sealedKey, 'base64')))
  if (key.byteCount !== backupKeyBytes) throw damaged()

  const payload = bytesOf(openStream(key, all, file))
  const manifest = await readManifest(payload)
  const hash = createHash('sha256')
  await writeWhole(to, hashed(payload, hash))
  if (hash.digest('hex') !== manifest.databaseSha256) throw damaged()
  checkDatabase(to)
  const rows = countRows(to)
  if (JSON.stringify(rows) !== JSON.stringify(manifest.rows)) throw damaged()
  await requireOpens(to, masterKey, tables)
  return manifest
}

async function keyFor(record: unknown, provider: MasterKeyProvider): Promise<MasterKey> {
  const wanted = parseRecord(new TextEncoder().encode(JSON.stringify(record)))
  const key = wanted.kind === provider.kind ? await provider.find(wanted) : null
  if (key) return key
  const what = `a master key of kind ${JSON.stringify(wanted.kind)} with the id ${wanted.id}`
  throw new Fault('unavailable', `${provider.name} is not the one that this backup was sealed under, which is ${what}`)
}

async function readManifest(payload: Payload): Promise<BackupManifest> {
  const length = await payload.take(4)
  if (length.length < 4) throw damaged()
  const textBytes = new DataView(length.buffer, length.byteOffset).getUint32(0)
  if (textBytes > manifestBytesMax) throw damaged()
  return parseManifest(await payload.take(textBytes))
}

/** A line for each table, and there are some dozen. */
const manifestBytesMax = 1024 * 1024

async function requireOpens(path: string, masterKey: MasterKey, tables: readonly SealedRows[]): Promise<void> {
  await using database = openSqliteReads(path)
  const { current } = await readRecords(database)
  if (!current || Buffer.compare(formatRecord(current), formatRecord(masterKey.record)) !== 0) throw damaged()
  for (const table of tables) {
    let after = ''
    for (;;) {
      const page = await table.page(database.reads, after, 100)
      for (const { purpose, sealed } of page) masterKey.open(purpose, sealed).fill(0)
      const last = page.at(-1)
      if (!last) break
      after = last.key
    }
  }
}

interface Payload {
  take(count: number): Promise<Uint8Array>
  rest(): AsyncGenerator<Uint8Array>
}

function bytesOf(chunks: AsyncGenerator<Uint8Array>): Payload {
  let held: Uint8Array = new Uint8Array(0)
  return {
    async take(count) {
      while (held.length < count) {
        const { value, done } = await chunks.next()
        if (done) break
        held = Buffer.concat([held, value])
      }
      const taken = held.slice(0, count)
      held = held.subarray(taken.length)
      return taken
    },
    async *rest() {
      yield held
      yield* chunks
    },
  }
}

async function* hashed(payload: Payload, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const part of payload.rest()) {
    hash.update(part)
    yield part
  }
}

const damaged = (): Fault => new Fault('unprocessable', 'the backup is damaged or incomplete')
