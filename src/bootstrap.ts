// The first run: two accounts, A who owns keys and B who owns volumes, each with an administrator's API key, so that a
// new user can begin. The keys are shown once and written to <data>/bootstrap.json; the database holds only their hashes.
// The file is durable before the accounts are made, and making them may be repeated, so a crash in between loses nothing.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import { makeHex32, makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Iam } from '#iam/iam.ts'
import { kmsStandardPlan } from '#resources/plans.ts'
import type { Resources } from '#resources/resources.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'

export interface FirstAccount {
  readonly name: string
  readonly id: string
  readonly apiKey: string
  readonly resourceGroupId: string
  readonly kmsInstanceId: string
}

/** Where each API is. Null for parts that are not built. */
export interface Endpoints {
  readonly iam: string
  readonly kms: string
  readonly vpc: string
  readonly resourceController: string
  readonly cos: string
  readonly console: string
}

interface Bootstrap {
  readonly accounts: readonly FirstAccount[]
  readonly endpoints: Endpoints
}

const doneName = 'bootstrap-done'

/** Whether the database is one that a server has served from. */
export const isBootstrapped = async (database: Pick<Database, 'reads'>): Promise<boolean> =>
  (await readMeta(database, doneName)) !== null

export const endpointsAt = (baseUrl: string, cosUrl: string): Endpoints => ({
  iam: baseUrl,
  kms: baseUrl,
  vpc: `${baseUrl}/v1`,
  resourceController: baseUrl,
  cos: cosUrl,
  console: `${baseUrl}/console`,
})

/** Returns the accounts on the run that made them, to be shown once; null on every later run. */
export async function bootstrap(parts: {
  readonly folder: string
  readonly region: string
  readonly endpoints: Endpoints
  readonly database: Database
  readonly random: Random
  readonly iam: Iam
  readonly resources: Resources
}): Promise<readonly FirstAccount[] | null> {
  const { folder, region, endpoints, database, random, iam, resources } = parts
  const path = join(folder, 'bootstrap.json')
  const done = await isBootstrapped(database)
  const found = existsSync(path) ? read(path) : null

  if (done) {
    // The port may be another one than last time; a file that its owner has removed stays removed.
    if (found) write(path, { accounts: found.accounts, endpoints })
    return null
  }
  const accounts = found?.accounts ?? ['A (key owner)', 'B (volume owner)'].map((name) => newAccount(name, random))
  write(path, { accounts, endpoints })
  for (const account of accounts) {
    const { ownerIamId } = await iam.accounts.createAccount({
      accountId: account.id,
      name: account.name,
      apiKey: account.apiKey,
    })
    await resources.groups.ensureDefault(account.id, account.resourceGroupId)
    await resources.creation.ensureFirst({
      guid: account.kmsInstanceId,
      account_id: account.id,
      name: 'Key Protect',
      plan_id: kmsStandardPlan.planId,
      region,
      resource_group_id: account.resourceGroupId,
      created_by: ownerIamId,
    })
  }
  await database.transaction((tx) => writeMeta(tx, doneName, new Uint8Array([1])))
  return accounts
}

const newAccount = (name: string, random: Random): FirstAccount => ({
  name,
  id: makeHex32(random),
  apiKey: Buffer.from(random.bytes(33)).toString('base64url'),
  resourceGroupId: makeHex32(random),
  kmsInstanceId: makeUuid(random),
})

/** Our own file, written whole or not at all; whoever has edited it hears of it, for it may hold the only copy of a key. */
function read(path: string): Bootstrap {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw notAsWritten(path, cause)
  }
  if (!isBootstrap(content)) throw notAsWritten(path)
  return content
}

const notAsWritten = (path: string, cause?: unknown): Fault =>
  new Fault('unavailable', `${path} is not as it was written: mend it, or move it away`, { cause })

function isBootstrap(content: unknown): content is Bootstrap {
  const accounts = typeof content === 'object' && content !== null && 'accounts' in content ? content.accounts : null
  return Array.isArray(accounts) && accounts.length > 0 && accounts.every(isAccount)
}

const accountFields = ['name', 'id', 'apiKey', 'resourceGroupId', 'kmsInstanceId'] as const

const isAccount = (account: unknown): account is FirstAccount =>
  typeof account === 'object' &&
  account !== null &&
  accountFields.every((field) => typeof Reflect.get(account, field) === 'string')

function write(path: string, content: Bootstrap): void {
  const fresh = `${path}.new`
  const file = openSync(fresh, 'w', 0o600)
  try {
    writeSync(file, `${JSON.stringify(content, null, 2)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
}
