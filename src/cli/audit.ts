// The audit trail of the account, and its signed log: read, taken away, proved.

import { readFileSync, writeFileSync } from 'node:fs'
import { isSame } from '#crypto/merkle-tree.ts'
import { proveExport, formatExport, parseExport, rootOf } from './audit-export.ts'
import type { ExportHead } from './audit-export.ts'
import { command, text, whole } from './command.ts'
import { Failure } from './failure.ts'
import { allPages } from './pages.ts'
import { done, listed } from './shown.ts'
import { timeOf, timeOption } from './times.ts'

const recordsUsual = 50
const entriesPage = 1000

const list = command({
  name: 'audit list',
  summary: 'List records of the audit trail, the newest first',
  options: {
    limit: whole('N', `at most so many (${recordsUsual})`, { min: 1, max: 1_000_000 }),
    action: text('ACTION', 'only this one, such as kms.secrets.disable'),
    outcome: text('OUTCOME', 'only those', { choices: ['success', 'failure'] }),
    target: text('CRN', 'only of this resource'),
    from: timeOption('not before'),
    to: timeOption('not after'),
  },
  examples: [['audit list --action kms.secrets.disable --from -7d', 'Who has disabled a key since a week ago']],
  async run(cli, given) {
    const session = await cli.session()
    const now = cli.clock.now()
    const most = given.limit ?? recordsUsual
    const body = await allPages(
      (start?: string) =>
        session.call('keyward', 'listAuditRecords', {
          query: {
            account_id: session.accountId,
            limit: Math.min(most, entriesPage),
            ...(start !== undefined && { start }),
            ...(given.action && { action: given.action }),
            ...(given.outcome && { outcome: given.outcome }),
            ...(given.target && { target_id: given.target }),
            ...(given.from && { from: timeOf(given.from, now) }),
            ...(given.to && { to: timeOf(given.to, now) }),
          },
        }),
      'records',
      most,
    )
    return listed({
      body,
      rows: body.records,
      id: ({ id }) => id,
      none: 'There is no such record.',
      columns: [
        { title: 'AT', cell: (one) => one.eventTime.slice(0, 19) },
        { title: 'ACTION', cell: ({ action }) => action },
        {
          title: 'CODE',
          cell: ({ reason }) => String(reason.reasonCode),
          tint: (one) => (one.outcome === 'success' ? null : 'bad'),
        },
        { title: 'WHO', cell: ({ initiator }) => initiator.name || initiator.id, shrinks: true },
        { title: 'ID', cell: ({ id }) => id, shrinks: true },
      ],
    })
  },
})

const checkpoint = command({
  name: 'audit checkpoint',
  summary: "Print the signed head of the account's audit log, to be kept elsewhere",
  async run(cli) {
    const session = await cli.session()
    const body = await session.call('keyward', 'getAuditCheckpoint', { path: { account_id: session.accountId } })
    return { body, ids: [String(body.size)], text: () => `${body.checkpoint.trimEnd()}\n\n${body.verifier}` }
  },
})

const prove = command({
  name: 'audit prove',
  summary: 'Write the proof that the log holds a record; `keyward verify` checks it anywhere',
  args: [{ name: 'record', help: 'its id' }],
  options: { to: text('FILE', 'where to; standard output where nothing is said', { kind: 'file' }) },
  async run(cli, given) {
    const session = await cli.session()
    const body = await session.call('keyward', 'getAuditRecordProof', {
      path: { account_id: session.accountId, id: given.record },
    })
    const file = `${JSON.stringify(body)}\n`
    if (given.to === undefined) return { body, text: () => file.trimEnd() }
    put(given.to, file)
    return done(`${given.to} proves record ${given.record}. Check it: keyward verify ${given.to}`, body, given.to)
  },
})

const take = command({
  name: 'audit export',
  summary: 'Take the whole signed log away: its head and every entry, to be proved without a server',
  args: [{ name: 'file', help: 'where to; it must not be there yet', kind: 'file' }],
  examples: [['audit export trail.jsonl && keyward audit verify trail.jsonl', 'Take it away, and prove it']],
  async run(cli, given) {
    const session = await cli.session()
    const path = { account_id: session.accountId }
    const signed = await session.call('keyward', 'getAuditCheckpoint', { path })
    const entries: string[] = []
    while (entries.length < signed.size) {
      const query = { start: String(entries.length), limit: Math.min(entriesPage, signed.size - entries.length) }
      const page = await session.call('keyward', 'listAuditEntries', { path, query })
      if (page.entries.length === 0) break
      entries.push(...page.entries)
    }
    const head: ExportHead = {
      type: 'keyward-audit-export',
      version: 1,
      account_id: session.accountId,
      checkpoint: signed.checkpoint,
      verifier: signed.verifier,
    }
    const taken = { head, entries }
    proveExport(taken, `the log of ${session.url}`, undefined)
    put(given.file, formatExport(taken))
    const body = { file: given.file, size: signed.size, checkpoint: signed.checkpoint, verifier: signed.verifier }
    return done(
      `${given.file} holds ${signed.size} entries, as they were signed by\n${signed.verifier}`,
      body,
      given.file,
    )
  },
})

const verify = command({
  name: 'audit verify',
  summary: 'Whether a file holds a log as it was signed, and begins with the log of an older file; needs no server',
  args: [{ name: 'file', help: 'what `keyward audit export` wrote', kind: 'file' }],
  options: {
    since: text('FILE', 'an older export of the same log, which this one has to begin with', { kind: 'file' }),
    key: text('VERIFIER', 'whose signature is trusted, as noted down earlier; else the one that the file names'),
  },
  local: true,
  async run(_, given) {
    const taken = parseExport(read(given.file), given.file)
    const { origin, size } = proveExport(taken, given.file, given.key)
    if (given.since !== undefined) {
      const older = parseExport(read(given.since), given.since)
      const before = proveExport(older, given.since, given.key ?? taken.head.verifier)
      const isBeginning = before.size <= size && isSame(rootOf(taken.entries.slice(0, before.size)), before.root)
      if (!isBeginning) {
        throw new Failure('failed', `${given.file}: NOT proved: the log of ${given.since} is not its beginning`)
      }
    }
    const body = { proved: true, origin, size, verifier: taken.head.verifier }
    const since = given.since === undefined ? '' : `, and begins with ${given.since}`
    const whose = given.key === undefined ? `\nCompare its key with the one you trust:\n${taken.head.verifier}` : ''
    return { body, text: () => `proved: ${given.file} is the log ${origin} at ${size} entries${since}.${whose}` }
  },
})

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Failure('failed', `${path} cannot be read`, { cause })
  }
}

/** Nothing that was taken away earlier is written over. */
function put(path: string, content: string): void {
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw new Failure('failed', isThere ? `${path} is there already` : `${path} cannot be written`, { cause })
  }
}

export const auditCommands = [list, take, verify, prove, checkpoint]
