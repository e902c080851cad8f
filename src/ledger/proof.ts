// The proof that ledger, registrations, resources and images are one: all are read, compared, and what does not agree is
// read again a little later, since what is on its way looks like a difference. What remains is written down, told as an
// event, and shown to the accounts that it concerns.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { differencesShownMax, proofConfirmMs, proofEveryMs, proofPage } from '#base/limits-ledger.ts'
import { providerAccountId } from '#base/provider.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Event } from '#events/event.ts'
import type { Context } from '#iam/port.ts'
import type { BookLine } from '#kms/port.ts'
import type { ProvableResource } from '#vpc/port.ts'
import { authorizeOwn } from './access.ts'
import type { OfAccount } from './access.ts'
import { countsIn, differencesIn, idOf, nothing, pairOf } from './compare.ts'
import type { Books, Difference } from './compare.ts'
import type { ledgerContract } from './contract.ts'
import { ownerOf } from './foreign-keys.ts'
import type { LedgerParts } from './parts.ts'
import { insertProof, selectCounts, selectDifferences, selectLatestProof, writeDifferences } from './tables-proof.ts'

type Answer = Static<(typeof ledgerContract)['getLatestProof']['reply']>

export type Proofs = ReturnType<typeof makeProofs>

export function makeProofs(parts: LedgerParts) {
  const { database, outbox, clock, realClock, log, iam, kms, vpc, disk } = parts
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  let provenAtMs: number | null = null

  async function readBooks(): Promise<Books> {
    // Registrations before resources: a volume is there before it is registered, and stays until it no longer is.
    const lines = await readLines()
    const resources = await readResources()
    const images = new Set(await disk.images())
    const isResource = new Set(resources.map(pairOf))
    const unknown = lines.filter((line) => !isResource.has(pairOf(line))).map((line) => line.resourceCrn)
    const registered = new Set(lines.filter((line) => line.registeredVersionId !== null).map(pairOf))
    const bare = new Set(resources.filter((one) => !registered.has(pairOf(one))).map((one) => one.keyCrn))
    const states = await kms.states([...bare])
    return {
      lines,
      resources,
      images,
      absent: new Set(await vpc.absent([...new Set(unknown)])),
      states: new Map([...bare].map((keyCrn, at) => [keyCrn, states[at] ?? 'destroyed'])),
      ownerOf,
    }
  }

  async function readLines(): Promise<readonly BookLine[]> {
    const lines: BookLine[] = []
    for (let after = { resourceCrn: '', keyCrn: '' }; ; ) {
      const page = await kms.books(after, proofPage)
      lines.push(...page)
      const last = page.at(-1)
      if (!last || page.length < proofPage) return lines
      after = last
    }
  }

  async function readResources(): Promise<readonly ProvableResource[]> {
    const resources: ProvableResource[] = []
    for (let after = ''; ; ) {
      const page = await vpc.resources(after, proofPage)
      resources.push(...page)
      const last = page.at(-1)
      if (!last || page.length < proofPage) return resources
      after = last.volumeId
    }
  }

  async function prove(): Promise<void> {
    const startedAt = clock.now()
    let books = await readBooks()
    let differences = differencesIn(books)
    if (differences.length > 0) {
      const first = new Set(differences.map(idOf))
      await new Promise<void>((resolve) => void realClock.after(proofConfirmMs, resolve))
      books = await readBooks()
      differences = differencesIn(books).filter((one) => first.has(idOf(one)))
    }
    await database.transaction(async (tx) => {
      const now = clock.now()
      await insertProof(tx, { startedAt, finishedAt: now }, countsIn(books))
      const changed = await writeDifferences(tx, differences, now)
      for (const one of changed.found) await outbox.append(tx, eventOf('ledger.difference.found', one))
      for (const one of changed.resolved) await outbox.append(tx, eventOf('ledger.difference.resolved', one))
      if (changed.found.length > 0) log.warn({ differences: changed.found }, 'the books of key uses do not agree')
    })
    provenAtMs = realClock.monotonicMs()
  }

  /** One proof at a time. Whoever asks while one runs waits for the next, which has read everything after he asked. */
  async function proveNow(): Promise<void> {
    if (!running) {
      running = prove().finally(() => (running = null))
      return await running
    }
    next ??= running.catch(() => {}).then(() => ((next = null), proveNow()))
    return await next
  }

  async function latest(accountId: string): Promise<Answer> {
    const proof = await selectLatestProof(database.reads)
    if (!proof) return { account_id: accountId, proven: false, equal: false, counts: nothing, differences: [] }
    const differences = await selectDifferences(database.reads, accountId, differencesShownMax)
    return {
      account_id: accountId,
      proven: true,
      started_at: rfc3339(proof.startedAt),
      finished_at: rfc3339(proof.finishedAt),
      equal: differences.length === 0,
      counts: (await selectCounts(database.reads, proof.id, accountId)) ?? nothing,
      differences: differences.map((one) => ({
        what: one.what,
        resource_crn: one.resourceCrn,
        account_id: one.accountId,
        key_crn: one.keyCrn,
        found_at: rfc3339(one.foundAt),
      })),
    }
  }

  const consumer: Consumer = {
    name: 'ledger.proofs',
    types: [],
    async reconcile() {
      if (provenAtMs === null || realClock.monotonicMs() - provenAtMs >= proofEveryMs) await proveNow()
    },
  }

  return {
    consumer,
    async get(context: Context, query: OfAccount): Promise<Answer> {
      const { target } = await authorizeOwn(iam, context, 'keyward.proofs.read', query)
      return await latest(target.accountId)
    },
    async create(context: Context, query: OfAccount): Promise<Answer> {
      const { target } = await authorizeOwn(iam, context, 'keyward.proofs.create', query)
      await proveNow()
      return await latest(target.accountId)
    },
  }
}

const eventOf = (type: 'ledger.difference.found' | 'ledger.difference.resolved', one: Difference): Event => ({
  type,
  accountId: one.accountId || providerAccountId,
  what: one.what,
  resourceCrn: one.resourceCrn,
  keyCrn: one.keyCrn,
  ownerAccountId: one.ownerAccountId,
})
