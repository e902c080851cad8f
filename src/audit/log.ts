// The tamper-evident log of each account: its audit records, in the order in which they were written, as leaves of a Merkle
// tree that only grows. Checkpoints of the tree are signed; whoever has kept one can tell later whether a record was
// changed, removed or slipped in. Records come into their log within a second, many at once, so that a key use pays for
// its record only.

import type { KeyObject } from 'node:crypto'
import { createHash } from 'node:crypto'
import { assert, BrokenAssertion } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { auditLogBatchMax, auditLogMs } from '#base/limits-audit.ts'
import type { Log } from '#base/log.ts'
import { statementSignerName } from '#crypto/destroy-certificate.ts'
import { appendLeaves, partialWidth, rootHash, tileWidth } from '#crypto/merkle-tiles.ts'
import type { Tile, TileName, TileReader } from '#crypto/merkle-tiles.ts'
import { hashLeaf } from '#crypto/merkle-tree.ts'
import { formatCheckpoint, signNote, verifierOf } from '#crypto/signed-note.ts'
import type { NoteSigner, NoteVerifier } from '#crypto/signed-note.ts'
import type { Audit } from '#events/audit.ts'
import { moveCursor, readCursor } from '#events/outbox.ts'
import { selectWrittenAfter } from '#events/tables-audit.ts'
import type { WrittenRecord } from '#events/tables-audit.ts'
import type { Database, Tx } from '#store/database.ts'
import { insertLeaves, readHead, readTiles, writeHead, writeTiles } from './tables.ts'

export interface AuditLog {
  /** Brings every record that was written before the call into its log. */
  follow(): Promise<void>
  verifier(accountId: string): NoteVerifier
  /** A statement about a key of the account, signed by the key of the logs under a name of its own. */
  signStatement(accountId: string, text: string): string
  /** A checkpoint of a log that has no record yet is signed on the spot. */
  emptyCheckpoint(accountId: string): string
  stop(): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly signingKey: KeyObject
}

/** How far the records of all accounts have come into their logs. */
export const auditLogCursor = 'audit.log'

/** What is hashed: the record with its id, as `GET .../entries` gives it out, to the byte. */
export const entryText = ({ id, bodyText }: WrittenRecord): string => `{"id":${JSON.stringify(id)},${bodyText.slice(1)}`

export const leafHashOf = (record: WrittenRecord): Uint8Array => hashLeaf(Buffer.from(entryText(record)))

export function startAuditLog({ database, clock, log, audit, signingKey }: Parts): AuditLog {
  const installation = createHash('sha256')
    .update(verifierOf({ name: 'keyward', privateKey: signingKey }).publicKey)
    .digest('hex')
    .slice(0, installationDigits)
  const signer = (accountId: string): NoteSigner => ({
    name: `keyward/${installation}/audit/${accountId}`,
    privateKey: signingKey,
  })
  function signStatement(accountId: string, text: string): string {
    const name = statementSignerName(signer(accountId).name, accountId)
    assert(name !== null, 'the logs have names of one form')
    return signNote(text, { name, privateKey: signingKey })
  }
  let following: Promise<void> = Promise.resolve()
  const stopping = new AbortController()
  let cancel = clock.after(auditLogMs, tick)

  function tick(): void {
    void followNow()
      .catch((err: unknown) => {
        if (err instanceof BrokenAssertion) throw err
        log.error({ err }, 'the audit logs cannot be brought up to date: it is tried again')
      })
      .finally(() => {
        if (!stopping.signal.aborted) cancel = clock.after(auditLogMs, tick)
      })
  }

  /** One at a time: the next begins where the one before has ended. */
  function followNow(): Promise<void> {
    following = following.catch(() => undefined).then(integrateAll)
    return following
  }

  async function integrateAll(): Promise<void> {
    while (!stopping.signal.aborted) {
      const after = await readCursor(database.reads, auditLogCursor)
      const records = await selectWrittenAfter(database.reads, after, auditLogBatchMax)
      const last = records.at(-1)
      if (!last) return
      await database.transaction(async (tx) => {
        // Another replica may have been faster.
        if ((await readCursor(tx, auditLogCursor)) !== after) return
        for (const [accountId, own] of Map.groupBy(records, (record) => record.accountId))
          await append(tx, signer(accountId), accountId, own)
        await moveCursor(tx, auditLogCursor, last.seq)
      })
    }
  }

  return {
    async follow() {
      await audit.flush()
      await followNow()
    },
    verifier: (accountId) => verifierOf(signer(accountId)),
    signStatement,
    emptyCheckpoint: (accountId) => sign(signer(accountId), 0, noTile),
    async stop() {
      stopping.abort()
      cancel()
      await following.catch(() => undefined)
    },
  }
}

const installationDigits = 16

async function append(tx: Tx, signer: NoteSigner, accountId: string, records: readonly WrittenRecord[]): Promise<void> {
  const oldSize = (await readHead(tx, accountId))?.size ?? 0
  const edge = await readTiles(tx, accountId, edgeOf(oldSize))
  const tiles = appendLeaves(oldSize, edge, records.map(leafHashOf))
  const size = oldSize + records.length
  await writeTiles(tx, accountId, tiles)
  const seqs = records.map(({ seq }) => seq)
  await insertLeaves(tx, accountId, oldSize, seqs)
  await writeHead(tx, accountId, { size, checkpoint: sign(signer, size, tileReader([...edge, ...tiles])) })
}

function edgeOf(size: number): readonly TileName[] {
  const names: TileName[] = []
  for (let level = 0; tileWidth ** level <= size; level += 1) {
    if (partialWidth(size, level) > 0) names.push({ level, index: Math.floor(size / tileWidth ** (level + 1)) })
  }
  return names
}

const sign = (signer: NoteSigner, size: number, read: TileReader): string =>
  signNote(formatCheckpoint({ origin: signer.name, size, root: rootHash(size, read) }), signer)

/** The later of two tiles of one name counts. */
export function tileReader(tiles: readonly Tile[]): TileReader {
  const byName = new Map(tiles.map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]))
  return ({ level, index }) => byName.get(`${level}/${index}`) ?? noTile()
}

const noTile = (): never => {
  throw new BrokenAssertion('not so: a tree has its tiles')
}
