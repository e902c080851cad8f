import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#base/clock.ts'
import { auditPrunedPerTransaction } from '#base/limits-audit.ts'
import { insertAudit } from '#events/tables-audit.ts'
import { moveCursor } from '#events/outbox.ts'
import type { AuditRow } from '#events/audit-record.ts'
import { openForTest } from '#store/testing/open.ts'
import { auditLogCursor } from './log.ts'
import { makePruning } from './pruning.ts'

const dayMs = 24 * 3_600_000
const body: AuditRow['body'] = {
  eventTime: '2026-01-01T00:00:00.000Z',
  action: 'kms.secrets.wrap',
  outcome: 'success',
  severity: 'normal',
  reason: { reasonCode: 200 },
  initiator: { id: 'i', name: 'n', typeURI: 't' },
  target: { id: 'x', typeURI: 't' },
  correlationId: 'c',
  requestData: {},
  responseData: {},
}

test('records go when they are older than the days that they are kept, page by page, and never with 0 days', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-pruning-'))
  const database = await openForTest(join(folder, 'keyward.db'))
  try {
    let now = 100 * dayMs
    const clock = { ...systemClock, now: () => now }
    const old = auditPrunedPerTransaction * 2 + 7
    const rows = Array.from({ length: old + 3 }, (_, i): AuditRow => {
      // The last three are younger; one of the old ones was written late.
      const at = i < old && i !== 0 ? 10 * dayMs + i : 50 * dayMs
      return { id: String(i), accountId: i % 2 ? 'a' : 'b', at, body }
    })
    await database.transaction((tx) => insertAudit(tx, rows))
    const left = async () =>
      (await database.reads.selectFrom('event_audit').select('id').execute()).map((row) => row.id)
    const pruningAfter = (retentionDays: number) =>
      makePruning({ database, clock, retentionDays, follow: async () => {} })()
    await pruningAfter(0)
    await pruningAfter(95)
    await pruningAfter(1)
    assert.equal((await left()).length, old + 3, 'what the signed log does not have yet stays')
    await database.transaction((tx) => moveCursor(tx, auditLogCursor, old + 3))
    await pruningAfter(0)
    await pruningAfter(95)
    assert.equal((await left()).length, old + 3)
    now = 100 * dayMs + 10 * dayMs + old
    // A young record among the old ends the first pass early, not for good.
    for (let pass = 0; pass < 5; pass++) await pruningAfter(100)
    assert.deepEqual(await left(), ['0', String(old), String(old + 1), String(old + 2)])
    now = 151 * dayMs
    await pruningAfter(100)
    assert.deepEqual(await left(), [])
  } finally {
    await database.close()
    await rm(folder, { recursive: true })
  }
})
