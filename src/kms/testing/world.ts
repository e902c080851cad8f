// For tests of this folder: the key manager on a real database in a temporary folder, with an IAM that is a list of who
// may do what, a clock that is moved by hand, and disk processes that sign what they say.

import { deepEqual } from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { FaultCode } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { signFenceAck } from '#crypto/fence-ack.ts'
import { makeSealer, masterKeyBytes } from '#crypto/sealed-record.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { Outbox } from '#events/outbox.ts'
import { makeAudit } from '#events/audit.ts'
import type { Audit } from '#events/audit.ts'
import { makeOutbox } from '#events/outbox.ts'
import type { Caller, Grant, IamPort, ServiceSubject, Subject, Target } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { openForTest } from '#store/testing/open.ts'
import type { Asked } from '../access.ts'
import { kmsAuditEvents } from '../audit-events.ts'
import { makeKms } from '../kms.ts'
import type { Kms } from '../kms.ts'
import type { NewKey } from '../key-request.ts'
import type { FenceAck, LeaseHolder, Revocation, WrappedDataKey } from '../port.ts'

export const accountA = 'a'.repeat(32)
export const accountB = 'b'.repeat(32)

export const caller = (name: string, accountId: string): Caller => ({
  iamId: `IBMid-${name}`,
  accountId,
  kind: 'user',
  name,
})
export const owner = caller('owner', accountA)
export const blockStorage: ServiceSubject = { kind: 'service', serviceName: 'server-protect', accountId: accountB }

/** Stands still until it is moved; timers call back in the move that reaches them. */
export interface TestClock extends Clock {
  advance(ms: number): void
  /** Moves the wall clock alone, as setting a virtual clock forward does: leases run on the other one. */
  skip(ms: number): void
}

export function makeTestClock(): TestClock {
  let now = Date.UTC(2026, 0, 1)
  let skipped = 0
  let timers: { readonly at: number; readonly callback: () => void }[] = []
  return {
    now: () => now + skipped,
    monotonicMs: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    skip(ms) {
      skipped += ms
    },
    advance(ms) {
      now += ms
      const due = timers.filter((timer) => timer.at <= now)
      timers = timers.filter((timer) => timer.at > now)
      for (const { callback } of due) callback()
    },
  }
}

interface Permission {
  readonly who: string
  readonly action: string
  readonly accountId: string
  readonly keyId: string | null
  readonly keyRing: string | null
}

export interface TestIam extends IamPort {
  /** Permits the actions on everything of the account, or on one key, or in one ring. */
  permit(who: Subject, accountId: string, actions: readonly string[], only?: string | { keyRing: string }): void
  revoke(who: Subject): void
  /** Whose token is its IAM id. */
  know(who: Caller): void
  /** Runs before every decision: for what happens in between. */
  before: (action: string) => Promise<void> | void
}

/** An allow-list: as strict as the real one, and with nothing clever about it. */
export function makeTestIam(): TestIam {
  let permissions: Permission[] = []
  const callers = new Map<string, Caller>()

  async function decide(subject: Subject, action: string, target: Target) {
    await iam.before(action)
    const permission = permissions.find(
      (p) =>
        p.who === nameOf(subject) &&
        p.action === action &&
        p.accountId === target.accountId &&
        (p.keyId === null || p.keyId === target.resource) &&
        (p.keyRing === null || p.keyRing === target.keyRing),
    )
    return permission ? ({ permitted: true, policyId: 'policy' } as const) : ({ permitted: false } as const)
  }

  // What of a target can be told in words.
  const texts = (target: Target) =>
    Object.fromEntries(
      Object.entries(target).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )

  const iam: TestIam = {
    before: () => undefined,
    permit(who, accountId, actions, only) {
      const keyId = typeof only === 'string' ? only : null
      const keyRing = typeof only === 'object' ? only.keyRing : null
      if (who.kind !== 'service' || 'iamId' in who) callers.set(who.iamId, who)
      permissions.push(...actions.map((action) => ({ who: nameOf(who), action, accountId, keyId, keyRing })))
    },
    know: (who) => void callers.set(who.iamId, who),
    revoke(who) {
      permissions = permissions.filter((p) => p.who !== nameOf(who))
    },
    async authenticate(token) {
      const known = callers.get(token)
      if (!known) throw new Fault('unauthenticated', 'token is not one of ours')
      return known
    },
    decide,
    async authorize<Action extends string>(subject: Subject, action: Action, target: Target) {
      const decision = await decide(subject, action, target)
      if (!decision.permitted) {
        const explanation = iam.explain(subject, action, target)
        throw new Fault('forbidden', `${nameOf(subject)} may not ${action}`, { explanation })
      }
      // The brand exists only in the type system, and this stands where IAM stands.
      return { action, subject, target, policyId: decision.policyId } as Grant<Action>
    },
    explain: (subject, action, target) => ({
      action,
      subject: { name: nameOf(subject) },
      resource: texts(target),
      account: target.accountId,
    }),
    hasAccount: async () => true,
    isDisabled: async () => false,
  }
  return iam
}

const nameOf = (subject: Subject): string =>
  'iamId' in subject ? subject.iamId : `${subject.serviceName}/${subject.accountId}`

/** Everything that a Manager of the account's keys may do. */
export const managerActions: readonly string[] = [
  'secrets: create list read readmetadata listkeyversions wrap unwrap rewrap rotate disable enable delete restore patch',
  'secrets: sync setkeyfordeletion unsetkeyfordeletion createalias deletealias',
  'secrets-with-policy-overrides: create',
  'importtoken: create read',
  'instance: readallowedipport',
  'instancepolicies: read write',
  'keyrings: list create delete',
  'policies: read write',
].flatMap(actionsOf)
export const registrationReads = ['kms.registrations.list', 'kms.registrations.listforkey']
/** What an authorization with the role Reader gives a service. */
export const serviceActions: readonly string[] = [
  'secrets: wrap unwrap rewrap eventack readmetadata',
  'registrations: create write merge delete list listforkey',
].flatMap(actionsOf)

/** `secrets: wrap` is `kms.secrets.wrap`. */
function actionsOf(line: string): string[] {
  const [noun = '', verbs = ''] = line.split(': ')
  return verbs.split(' ').map((verb) => `kms.${noun}.${verb}`)
}

export interface TestHolder extends LeaseHolder {
  readonly fenced: string[][]
  /** What it says instead of the truth. */
  answer: (acks: readonly FenceAck[]) => Promise<readonly FenceAck[]>
  /** Which resource each lease is for, as a disk process knows it. */
  readonly held: Map<string, string>
}

export function makeTestHolder(clock: Clock, holderId = 'disk-1'): TestHolder {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const holder: TestHolder = {
    holderId,
    publicKey: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })),
    fenced: [],
    held: new Map(),
    answer: async (acks) => acks,
    async fence(leaseIds) {
      holder.fenced.push([...leaseIds])
      const acks = leaseIds.map((leaseId) => {
        const statement = { holderId, leaseId, resourceCrn: holder.held.get(leaseId) ?? '', fencedAt: clock.now() }
        return { ...statement, signature: signFenceAck(privateKey, statement) }
      })
      return await holder.answer(acks)
    },
  }
  return holder
}

export interface World extends AsyncDisposable {
  readonly kms: Kms
  readonly iam: TestIam
  readonly clock: TestClock
  readonly database: Database
  readonly audit: Audit
  readonly instanceId: string
  readonly asOwner: Asked
  /** The next append of an event of this type fails. */
  failOn(type: string | null): void
  events(): Promise<readonly Record<string, unknown>[]>
  /** Runs while another process is in the middle of reading the database. */
  withReader(work: () => Promise<void>): Promise<void>
  /** Every byte that is on disk. */
  bytes(): Promise<Buffer>
  rootKey(request?: Partial<NewKey>): Promise<{ id: string; crn: string }>
}

export const newRootKey: NewKey = {
  name: 'a root key',
  description: null,
  tags: [],
  aliases: [],
  extractable: false,
  imported: null,
  expiresAt: null,
  policies: { rotation: null, dualAuthDelete: null },
}

/** Material as a caller brings it in the clear. */
export const brought = (payload: string) => ({ payload, transport: null })

export const volumeCrn = (name = 'r006-1', accountId = accountB): string =>
  formatCrn({ serviceName: 'is', location: 'us-south-1', accountId, resourceType: 'volume', resource: name })

/** What is counted beside the registrations is what there is of them. */
export async function tallyAgrees({ database }: Pick<World, 'database'>): Promise<void> {
  const by = ['key_id', 'key_version_id', 'service_name', 'account_id'] as const
  const counted = await database.reads
    .selectFrom('kms_registration')
    .select(by)
    .select((e) => e.fn.countAll<number>().as('registrations'))
    .groupBy(by)
    .orderBy('key_id')
    .orderBy('key_version_id')
    .orderBy('service_name')
    .orderBy('account_id')
    .execute()
  const tallied = await database.reads
    .selectFrom('kms_registration_tally')
    .select([...by, 'registrations'])
    .orderBy('key_id')
    .orderBy('key_version_id')
    .orderBy('service_name')
    .orderBy('account_id')
    .execute()
  deepEqual(tallied, counted)
}

/** One data key to the newest version; a fault that is its own is thrown like one of the whole batch. */
export async function rewrapOne(
  { kms }: Pick<World, 'kms'>,
  one: { keyCrn: string; resourceCrn: string; wrapped: Uint8Array; as: ServiceSubject },
): Promise<WrappedDataKey> {
  const [result] = await kms.port.rewrapDataKeys({ keyCrn: one.keyCrn, as: one.as, held: [one] })
  if (!result || result instanceof Fault) throw result ?? new Error('there is a result for each')
  return result
}

/** For `assert.rejects`: a fault of this code, and of this reason where one is given. */
export const fails = (code: FaultCode, reason?: string) => (error: unknown) => {
  if (!(error instanceof Fault)) throw error
  deepEqual([error.code, reason && error.reason], [code, reason])
  return true
}

/** Account A with one instance, whose owner may do everything and whose keys block storage of account B may use. */
export async function makeWorld({ revocation = 'at-once' }: { revocation?: Revocation } = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'kms-'))
  const path = join(folder, 'kms.db')
  const database = await openForTest(path)
  const clock = makeTestClock()
  const random = systemRandom
  const masterKey = SecretBytes.random(random, masterKeyBytes)
  const iam = makeTestIam()
  iam.permit(owner, accountA, [...managerActions, ...registrationReads])
  iam.permit(blockStorage, accountA, serviceActions)
  let failing: string | null = null
  const log = makeLog('silent')
  const audit = makeAudit({ database, clock, random, log, events: kmsAuditEvents })
  const real = makeOutbox(clock, random, audit.onEvent)
  const outbox: Outbox = {
    async append(tx, event) {
      await real.append(tx, event)
      if (event.type === failing) throw new Error('the disk is full')
    },
  }
  const sealer = makeSealer(masterKey, random)
  const kms = makeKms({
    database,
    outbox,
    clock,
    realClock: clock,
    random,
    sealer,
    log,
    iam,
    revocation,
    authorizations: {
      find: async () => null,
      ending: async () => [],
      bounds: async () => null,
      bounded: async () => [],
      passBound: () => null,
      decideWithout: (subject, action, target) => iam.decide(subject, action, target),
    },
    isMasterKeyInToken: false,
    audit,
  })
  const instanceId = makeUuid(random)
  const instance = { id: instanceId, serviceName: 'kms', accountId: accountA, region: 'us-south' } as const
  await kms.port.createInstance({ ...instance, resourceGroupId: 'g'.repeat(32) })
  const asOwner = { caller: owner, instanceId }
  return {
    kms,
    iam,
    clock,
    database,
    audit,
    instanceId,
    asOwner,
    failOn: (type) => {
      failing = type
    },
    async events() {
      const rows = await database.reads.selectFrom('event_outbox').selectAll().orderBy('seq').execute()
      return rows.map((row) => ({ type: row.type, accountId: row.account_id, ...JSON.parse(row.body) }))
    },
    async withReader(work) {
      const other = new DatabaseSync(path, { readOnly: true })
      other.exec('begin')
      other.prepare('select count(*) from kms_key').get()
      try {
        await work()
      } finally {
        other.close()
      }
    },
    bytes: async () => Buffer.concat(await Promise.all(['', '-wal'].map((end) => readFile(path + end)))),
    async rootKey(request = {}) {
      const { key } = await kms.keys.create(asOwner, { ...newRootKey, ...request })
      const crn = {
        serviceName: 'kms',
        location: 'us-south',
        accountId: accountA,
        serviceInstance: instanceId,
      } as const
      return { id: key.id, crn: formatCrn({ ...crn, resourceType: 'key', resource: key.id }) }
    },
    async [Symbol.asyncDispose]() {
      await database.close()
      masterKey[Symbol.dispose]()
      await rm(folder, { recursive: true })
    },
  }
}
