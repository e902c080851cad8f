// What proves the audit log of one account to somebody who does not trust the server: checkpoints, entries, and the two
// proofs. The texts are those of c2sp.org (signed-note, tlog-checkpoint, tlog-proof).

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { auditPageDefault } from '#base/limits-audit.ts'
import { rangeHash, tilesOf } from '#crypto/merkle-tiles.ts'
import { consistencyRanges, inclusionRanges } from '#crypto/merkle-tree.ts'
import type { Range } from '#crypto/merkle-tree.ts'
import { formatProof, formatVerifier } from '#crypto/signed-note.ts'
import { selectSeqOf, selectWritten } from '#events/tables-audit.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { auditLogContract } from './contract-log.ts'
import { entryText, tileReader } from './log.ts'
import type { AuditLog } from './log.ts'
import { readHead, readLeafIndex, readLeaves, readTiles } from './tables.ts'
import type { Head } from './tables.ts'

type Replies = { [Name in keyof typeof auditLogContract]: Static<(typeof auditLogContract)[Name]['reply']> }

export interface Proofs {
  checkpoint(context: Context, accountId: string): Promise<Replies['getAuditCheckpoint']>
  record(context: Context, accountId: string, recordId: string): Promise<Replies['getAuditRecordProof']>
  /** As `record`, for whoever has been given leave to it otherwise. */
  prove(accountId: string, recordId: string): Promise<Replies['getAuditRecordProof']>
  consistency(context: Context, accountId: string, oldSize: number): Promise<Replies['getAuditConsistency']>
  entries(context: Context, accountId: string, page: Page): Promise<Replies['listAuditEntries']>
}

interface Page {
  readonly start?: number
  readonly limit?: number
}

interface Parts {
  readonly database: Database
  readonly iam: IamPort
  readonly log: AuditLog
}

export function makeProofs({ database: { reads }, iam, log }: Parts): Proofs {
  async function authorize({ caller }: Context, accountId: string): Promise<void> {
    await iam.authorize(caller, 'keyward.audit.read', { accountId, serviceName: 'keyward' })
  }

  async function headFor(context: Context, accountId: string): Promise<Head> {
    await authorize(context, accountId)
    return await headOf(accountId)
  }

  /** Whoever has seen an answer finds its record in the log. */
  async function headOf(accountId: string): Promise<Head> {
    await log.follow()
    return (await readHead(reads, accountId)) ?? { size: 0, checkpoint: log.emptyCheckpoint(accountId) }
  }

  async function hashesOf(accountId: string, ranges: readonly Range[]): Promise<readonly Uint8Array[]> {
    const read = tileReader(await readTiles(reads, accountId, tilesOf(ranges)))
    return ranges.map((range) => rangeHash(range, read))
  }

  const verifierText = (accountId: string): string => formatVerifier(log.verifier(accountId))

  async function prove(accountId: string, recordId: string): Promise<Replies['getAuditRecordProof']> {
    const { size, checkpoint } = await headOf(accountId)
    const seq = await selectSeqOf(reads, accountId, recordId)
    const index = seq === null ? null : await readLeafIndex(reads, seq)
    const [record] = seq === null ? [] : await selectWritten(reads, [seq])
    if (index === null || index >= size || !record) throw new Fault('not_found', 'no such record in this audit trail')
    const hashes = await hashesOf(accountId, inclusionRanges(index, size))
    return {
      type: 'keyward-audit-proof',
      entry: entryText(record),
      proof: formatProof({ index, hashes, checkpoint }),
      verifier: verifierText(accountId),
    }
  }

  return {
    async checkpoint(context, accountId) {
      const { size, checkpoint } = await headFor(context, accountId)
      return { size, checkpoint, verifier: verifierText(accountId) }
    },

    async record(context, accountId, recordId) {
      await authorize(context, accountId)
      return await prove(accountId, recordId)
    },

    prove,

    async consistency(context, accountId, oldSize) {
      const { size, checkpoint } = await headFor(context, accountId)
      if (oldSize > size)
        throw new Fault('invalid', `the log has ${size} entries`, { target: { type: 'parameter', name: 'old_size' } })
      const hashes = await hashesOf(accountId, consistencyRanges(oldSize, size))
      return {
        old_size: oldSize,
        hashes: hashes.map((hash) => Buffer.from(hash).toString('base64')),
        size,
        checkpoint,
        verifier: verifierText(accountId),
      }
    },

    async entries(context, accountId, { start = 0, limit = auditPageDefault }) {
      const { size } = await headFor(context, accountId)
      const seqs = await readLeaves(reads, accountId, start, limit)
      const records = await selectWritten(reads, seqs)
      const next = start + seqs.length
      return { start, size, entries: records.map(entryText), ...(seqs.length > 0 && next < size && { next }) }
    },
  }
}
