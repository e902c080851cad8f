// For tests of this folder: IAM on a real database in a temporary folder, with a clock that stands and chance that repeats.

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeLog } from '#base/log.ts'
import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { Fault } from '#base/fault.ts'
import { makeOutbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { openForTest } from '#store/testing/open.ts'
import { makeIam } from '../iam.ts'
import type { Iam } from '../iam.ts'
import type { Caller, Context } from '../port.ts'

export const accountA = 'a'.repeat(32)
export const accountB = 'b'.repeat(32)
export const apiKeyOf = (accountId: string): string => `key-of-${accountId}`

export interface TestClock extends Clock {
  advance(ms: number): void
}

function makeTestClock(): TestClock {
  let now = Date.UTC(2026, 0, 1)
  return { now: () => now, monotonicMs: () => now, after: () => () => {}, advance: (ms) => void (now += ms) }
}

/** Bytes that only the seed decides: SHA-256 of a count. */
export function seededRandom(seed: string): Random {
  let count = 0
  const block = () => createHash('sha256').update(`${seed}/${count++}`).digest()
  return {
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let at = 0; at < length; at += 32) bytes.set(block().subarray(0, Math.min(32, length - at)), at)
      return bytes
    },
  }
}

/** Not a cipher: marks bytes with their purpose, so that a wrong purpose does not open. */
export const markingSealer: Sealer = {
  seal: (purpose, plaintext) => Buffer.concat([Buffer.from(`${purpose}\n`), plaintext.map((byte) => byte ^ 0x5a)]),
  open(purpose, sealed) {
    const mark = Buffer.from(`${purpose}\n`)
    if (!mark.equals(sealed.subarray(0, mark.length))) throw new Fault('unprocessable', 'sealed bytes do not open')
    return Uint8Array.from(sealed.subarray(mark.length), (byte) => byte ^ 0x5a)
  },
}

export interface World extends AsyncDisposable {
  readonly iam: Iam
  readonly database: Database
  readonly clock: TestClock
  readonly random: Random
  /** The owner of account A or B, as a request's context. */
  owner(accountId: string): Promise<Context>
  /** Another IAM on the same database, as after a restart. */
  restart(settings?: { readonly policyPropagationMs: number }): Promise<Iam>
}

/** Accounts A and B with an owner each. */
export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'iam-'))
  const database = await openForTest(join(folder, 'iam.db'))
  const clock = makeTestClock()
  const random = seededRandom('world')
  const parts = {
    database,
    clock,
    random,
    outbox: makeOutbox(clock, random),
    sealer: markingSealer,
    log: makeLog('silent'),
  }
  const iam = await makeIam(parts)
  for (const accountId of [accountA, accountB]) {
    await iam.accounts.createAccount({ accountId, name: accountId[0] ?? '', apiKey: apiKeyOf(accountId) })
  }
  return {
    iam,
    database,
    clock,
    random,
    owner: async (accountId) => contextOf(await iam.port.authenticate(await login(iam, apiKeyOf(accountId)))),
    restart: (settings) => makeIam({ ...parts, ...settings }),
    async [Symbol.asyncDispose]() {
      await database.close()
      await rm(folder, { recursive: true })
    },
  }
}

export async function login(iam: Iam, apiKey: string): Promise<string> {
  const grantType = 'urn:ibm:params:oauth:grant-type:apikey'
  return (await iam.tokens.issue({ grantType, apiKey, clientId: null })).accessToken
}

export const contextOf = (caller: Caller): Context => ({
  caller,
  requestId: 'test',
  baseUrl: 'http://iam.test',
  remoteAddress: '127.0.0.1',
})
