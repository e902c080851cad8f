// Decisions per second while the policies of the whole product grow: `node bench/iam-decisions.ts`. The subject that is
// measured has a policy for the key that it asks about and, from 1,000 policies on, several hundred for other keys of the
// same account, so that what must not count is there in each way: other accounts, other subjects, other resources.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PolicyId } from '#base/id.ts'
import { makeLog } from '#base/log.ts'
import { systemClock } from '#base/clock.ts'
import { systemRandom } from '#base/random.ts'
import { makeOutbox } from '#events/outbox.ts'
import { makeDecisionRecords } from '#iam/decision-records.ts'
import { makePermissions } from '#iam/permissions.ts'
import { parsePolicy } from '#iam/policy-parse.ts'
import { rowOf } from '#iam/policy-rows.ts'
import type { Subject, Target } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { openSqlite } from '#store/sqlite.ts'

const reader = 'crn:v1:bluemix:public:iam::::serviceRole:Reader'
const accountOf = (at: number): string => at.toString(16).padStart(32, '0')
const storage: Subject = { kind: 'service', serviceName: 'server-protect', accountId: accountOf(0) }
const target: Target = {
  accountId: accountOf(1),
  serviceName: 'kms',
  serviceInstance: 'instance',
  resourceType: 'key',
  resource: 'key-0',
}

function row(at: number, accountId: string, source: string, key: string) {
  const draft = parsePolicy({
    type: 'authorization',
    subjects: [
      {
        attributes: [
          { name: 'serviceName', value: source },
          { name: 'accountId', value: accountOf(0) },
        ],
      },
    ],
    roles: [{ role_id: reader }],
    resources: [
      {
        attributes: [
          { name: 'accountId', value: accountId },
          { name: 'serviceName', value: 'kms' },
          { name: 'resourceType', value: 'key' },
          { name: 'resource', value: key },
        ],
      },
    ],
  })
  const stamps = { createdAt: 0, createdById: 'bench', lastModifiedAt: 0, lastModifiedById: 'bench' }
  return rowOf({ ...draft, id: `policy-${at}` as PolicyId, state: 'active', revision: '1-0', ...stamps })
}

async function fill(database: Database, count: number): Promise<void> {
  const perAccount = 4000
  const own = Math.min(Math.ceil(count / 2), 900)
  await database.transaction(async (tx) => {
    for (let at = 0; at < count; at++) {
      const isOwn = at < own
      const account = 1 + Math.floor(at / perAccount)
      const source = isOwn ? 'server-protect' : `source-${at % 50}`
      await tx
        .insertInto('iam_policy')
        .values(row(at, accountOf(account), source, `key-${at}`))
        .execute()
    }
  })
}

async function measure(count: number): Promise<{ readonly permit: number; readonly deny: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-bench-'))
  const database = await openSqlite(join(folder, 'bench.db'))
  try {
    await fill(database, count)
    const records = makeDecisionRecords({
      database,
      outbox: makeOutbox(systemClock, systemRandom),
      clock: systemClock,
      keyClock: systemClock,
      log: makeLog('silent'),
    })
    const permissions = makePermissions({
      database,
      clock: systemClock,
      keyClock: systemClock,
      records,
      propagationMs: 0,
    })
    const perSecond = async (asked: Target): Promise<number> => {
      const decisions = 3000
      const rates: number[] = []
      for (let run = 0; run < 7; run++) {
        const start = performance.now()
        for (let at = 0; at < decisions; at++) await permissions.decide(storage, 'kms.secrets.wrap', asked)
        rates.push((decisions * 1000) / (performance.now() - start))
      }
      return rates.toSorted((a, b) => a - b)[3] ?? 0
    }
    const result = { permit: await perSecond(target), deny: await perSecond({ ...target, resource: 'key-none' }) }
    await records.close()
    return result
  } finally {
    await database.close()
    await rm(folder, { recursive: true })
  }
}

process.stdout.write('policies  permitted/s  refused/s   (medians of 7 runs of 3,000 decisions)\n')
for (const count of [10, 1000, 100_000]) {
  const { permit, deny } = await measure(count)
  process.stdout.write(
    `${String(count).padStart(8)}  ${permit.toFixed(0).padStart(11)}  ${deny.toFixed(0).padStart(9)}\n`,
  )
}
