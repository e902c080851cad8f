// A rotation that many resources have to follow: how fast their data keys come to the new version, and what that costs
// whoever uses the key manager meanwhile. The resources are simulated, of a hundred accounts; their wrapped data keys, the
// registrations, the events and the audit trail are real, and so is the disk. `npm run bench:kms-rotation -- --write`.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Fault } from '#base/fault.ts'
import { rewrapBatchMax, vpcSweepPage } from '#base/limits.ts'
import { systemRandom } from '#base/random.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { unwrapKey, wrapKey } from '#crypto/wrapped-key.ts'
import type { ServiceSubject } from '#iam/port.ts'
import { tallyMore } from '../src/kms/tables-tally.ts'
import { accountA, brought, makeWorld, serviceActions, volumeCrn } from '../src/kms/testing/world.ts'
import type { World } from '../src/kms/testing/world.ts'
import { machine, quantile, say, writeSection } from './page.ts'

const { values } = parseArgs({
  options: {
    registrations: { type: 'string', default: '1000000' },
    /** Puts the figures into docs/performance.md. */
    write: { type: 'boolean', default: false },
  },
})
const total = Number(values.registrations)
const accountCount = 100
const envelopeBytes = 17 + 24 + 32 + 16
const seededPerTransaction = 5000
const sampleEvery = Math.max(1, Math.floor(total / 2000))

const accountOf = (i: number): string => (i % accountCount).toString(16).padStart(32, '0')
const crnOf = (i: number): string => volumeCrn(`r006-${String(i).padStart(9, '0')}`, accountOf(i))
const serviceOf = (i: number): ServiceSubject => ({
  kind: 'service',
  serviceName: 'server-protect',
  accountId: accountOf(i),
})
/** So that what was wrapped can be told from what is opened, without keeping a million of them. */
const dataKeyOf = (i: number): Buffer => createHash('sha256').update(`data key ${i}`).digest()

await using world = await makeWorld()
const { kms } = world
for (let i = 0; i < accountCount; i++) world.iam.permit(serviceOf(i), accountA, serviceActions)
const [before, after] = [material(), material()]
using rootBefore = SecretBytes.copyOf(Buffer.from(before, 'base64'))
using rootAfter = SecretBytes.copyOf(Buffer.from(after, 'base64'))
const key = await world.rootKey({ imported: brought(before) })
const busyKey = await world.rootKey()
const envelopes = Buffer.alloc(total * envelopeBytes)
const envelopeOf = (i: number): Buffer => envelopes.subarray(i * envelopeBytes, (i + 1) * envelopeBytes)

await timed('seeding', () => seed(world))
const rotated = await timed('the rotation itself', () => kms.lifecycle.rotate(world.asOwner, key.id, brought(after)))
const progressMs: number[] = []
const wrapMs: number[] = []
const followed = await timed('re-wrapping', follow)
await verify()
report()

function material(): string {
  return Buffer.from(systemRandom.bytes(32)).toString('base64')
}

async function timed(what: string, work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const since = performance.now()
  const cpuBefore = process.cpuUsage()
  await work()
  const ms = performance.now() - since
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpuMs = (user + system) / 1000
  say(`${what}: ${(ms / 1000).toFixed(3)} s, ${(cpuMs / 1000).toFixed(3)} s of processor`)
  return { ms, cpuMs }
}

/** What `createDataKey` leaves behind for each, without its transaction. */
async function seed({ database }: World): Promise<void> {
  const { key: shown } = await kms.keys.metadata(world.asOwner, key.id)
  const versionId = shown.newestVersion.id
  const now = world.clock.now()
  for (let from = 0; from < total; from += seededPerTransaction) {
    const until = Math.min(total, from + seededPerTransaction)
    const rows = Array.from({ length: until - from }, (_, n) => {
      const i = from + n
      const aad = [crnOf(i)]
      const wrap = { plaintext: dataKeyOf(i), rootKey: rootBefore, keyId: key.id, versionId, aad, random: systemRandom }
      envelopeOf(i).set(wrapKey(wrap))
      return {
        key_id: key.id,
        resource_crn: crnOf(i),
        key_version_id: versionId,
        service_name: 'server-protect',
        account_id: accountOf(i),
        created_at: now,
        updated_at: now,
        description: '',
        prevent_key_deletion: 0,
        metadata: null,
      }
    })
    await database.transaction(async (tx) => {
      for (let at = 0; at < rows.length; at += 500) {
        await tx
          .insertInto('kms_registration')
          .values(rows.slice(at, at + 500))
          .execute()
      }
    })
  }
  await database.transaction(async (tx) => {
    for (let i = 0; i < accountCount; i++) {
      const count = Math.ceil((total - i) / accountCount)
      const change = { keyId: key.id, keyVersionId: versionId, by: serviceOf(i), count, followed: false }
      if (count > 0) await tallyMore(tx, change)
    }
  })
}

/** As block storage does it, but for the pauses between its batches: pages, and of each account what lags in a batch. */
async function follow(): Promise<void> {
  let isOver = false
  const others = useMeanwhile(() => isOver)
  let done = 0
  for (let account = 0; account < accountCount; account++) {
    const own = Array.from(
      { length: Math.ceil((total - account) / accountCount) },
      (_, n) => account + n * accountCount,
    )
    for (let from = 0; from < own.length; from += vpcSweepPage) {
      done += await followPage(own.slice(from, from + vpcSweepPage), serviceOf(account))
      if (done % 10_000 < vpcSweepPage) await look(done)
      // Requests of others are served between two pages, as between two pauses.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  isOver = true
  await others
  await look(total)
}

async function followPage(page: readonly number[], as: ServiceSubject): Promise<number> {
  const { key: shown } = await kms.keys.metadata(world.asOwner, key.id)
  const lagging = await kms.port.lagging(
    page.map((i) => ({ keyCrn: key.crn, keyVersionId: 'old', resourceCrn: crnOf(i), as })),
  )
  assert.ok(lagging.every(Boolean))
  for (let from = 0; from < page.length; from += rewrapBatchMax) {
    const batch = page.slice(from, from + rewrapBatchMax)
    const held = batch.map((i) => ({ resourceCrn: crnOf(i), wrapped: Uint8Array.from(envelopeOf(i)) }))
    const results = await kms.port.rewrapDataKeys({ keyCrn: key.crn, as, held })
    for (const [n, result] of results.entries()) {
      if (result instanceof Fault) throw result
      assert.equal(result.keyVersionId, shown.newestVersion.id)
      envelopeOf(batch[n] ?? 0).set(result.wrapped)
    }
  }
  return page.length
}

/** The owner looks: what is said is exact at each moment, and `converged` comes with the last. */
async function look(done: number): Promise<void> {
  const since = performance.now()
  const { registrations, remaining } = await kms.rotationProgress.report(world.asOwner, key.id)
  progressMs.push(performance.now() - since)
  assert.deepEqual([registrations, remaining], [total, total - done])
  if (done % 100_000 < vpcSweepPage) say(`  ${done} re-wrapped, ${remaining} remain`)
}

/** Somebody else wraps under another key all the while. */
async function useMeanwhile(isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const since = performance.now()
    await kms.use.wrap(world.asOwner, busyKey.id, { plaintext: null, aad: [] })
    wrapMs.push(performance.now() - since)
  }
}

async function verify(): Promise<void> {
  for (let i = 0; i < total; i += sampleEvery) {
    using opened = unwrapKey({ wrapped: envelopeOf(i), rootKey: rootAfter, keyId: key.id, aad: [crnOf(i)] })
    opened.use((bytes) => assert.deepEqual(Buffer.from(bytes), dataKeyOf(i)))
  }
  const converged = (await world.database.reads
    .selectFrom('event_outbox')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('type', '=', 'kms.key.rotation-converged')
    .executeTakeFirstOrThrow()) as { count: number }
  assert.equal(Number(converged.count), 1, 'converged is said once, with the last')
}

function report(): void {
  const perSecond = Math.round(total / (followed.ms / 1000))
  const ms = (values: readonly number[], q: number): string => `${quantile(values, q).toFixed(2)} ms`
  const rows = [
    ['registrations on one key, of accounts', `${total.toLocaleString('en')}, ${accountCount}`],
    ['re-wrapped and moved, durably, with events and audit', `**${perSecond.toLocaleString('en')}/s**`],
    [
      'all of them, unpaced',
      `${(followed.ms / 1000).toFixed(0)} s, of which ${(followed.cpuMs / 1000).toFixed(0)} s of processor`,
    ],
    ['the rotation call', `${rotated.ms.toFixed(1)} ms`],
    ['the progress endpoint meanwhile, p50, p99', `${ms(progressMs, 0.5)}, ${ms(progressMs, 0.99)}`],
    ['a wrap under another key meanwhile, p50, p99', `${ms(wrapMs, 0.5)}, ${ms(wrapMs, 0.99)}`],
  ]
  const text = [
    `${machine()}; one process, batches of ${rewrapBatchMax} data keys; every ${sampleEvery}th opened at the end.`,
    '',
    '| rotation | |',
    '|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n')
  say(text)
  if (values.write) writeSection('bench:kms-rotation', text)
}
