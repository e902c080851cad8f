// How an API key comes to be, wherever it is made: with an account, with a service id, or by itself.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { apiKeysPerIdentityMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Tx } from '#store/database.ts'
import { checkApiKey, hashApiKey, makeApiKey } from './api-key.ts'
import type { Changes } from './changes.ts'
import { isFull } from './identity-access.ts'
import type { Owner } from './identity-access.ts'
import { firstRevision } from './revision.ts'
import { countApiKeys, insertApiKey, readApiKeyByHash } from './tables-api-keys.ts'
import type { ApiKeyRow } from './tables-api-keys.ts'
import type { Throttle } from './throttle.ts'

export interface NewApiKey {
  readonly name: string
  readonly description?: string | undefined
  /** In plain text, where the caller brings one along. */
  readonly apiKey?: string | undefined
  readonly supportSessions?: boolean | undefined
  readonly actionWhenLeaked?: ApiKeyRow['action_when_leaked'] | undefined
  readonly expiresAt?: string | undefined
  readonly locked?: boolean
  readonly disabled?: boolean
}

/** Of tenants, who may try which keys there are; the server's own accounts and users need none. */
export interface GuessGuard {
  readonly throttle: Throttle
  readonly remoteAddress: string | undefined
}

/** The one moment at which the key itself is known. */
export interface MadeApiKey {
  readonly row: ApiKeyRow
  readonly apiKey: string
}

export async function addApiKey(
  parts: { readonly clock: Clock; readonly random: Random; readonly changes: Changes },
  tx: Tx,
  made: {
    readonly owner: Owner
    readonly by: { iamId: string; accountId: string }
    readonly wanted: NewApiKey
    readonly guard?: GuessGuard
  },
): Promise<MadeApiKey> {
  const { owner, by, wanted } = made
  const { iamId, accountId } = owner
  const apiKey = wanted.apiKey ?? makeApiKey(parts.random)
  checkApiKey(apiKey)
  if (wanted.apiKey !== undefined) made.guard?.throttle.check(made.guard.remoteAddress)
  const now = parts.clock.now()
  const row: ApiKeyRow = {
    id: `ApiKey-${makeUuid(parts.random)}`,
    account_id: accountId,
    iam_id: iamId,
    name: wanted.name,
    description: wanted.description ?? null,
    hash: hashApiKey(apiKey),
    locked: wanted.locked ? 1 : 0,
    disabled: wanted.disabled ? 1 : 0,
    support_sessions: wanted.supportSessions ? 1 : 0,
    action_when_leaked: wanted.actionWhenLeaked ?? 'none',
    ...expiry(wanted.expiresAt),
    created_at: now,
    created_by_id: by.iamId,
    modified_at: now,
    revision: firstRevision(parts.random),
  }
  if ((await countApiKeys(tx, iamId)) >= apiKeysPerIdentityMax) {
    throw isFull(`${iamId} has ${apiKeysPerIdentityMax} API keys`)
  }
  if (await readApiKeyByHash(tx, row.hash)) throw isTaken(apiKey, made.guard)
  await insertApiKey(tx, row)
  const event = { type: 'iam.api-key.created', accountId, apiKeyId: row.id, iamId } as const
  await parts.changes.record(tx, { event, entityId: row.id, by, action: 'create', params: Object.keys(wanted) })
  return { row, apiKey }
}

/** Whoever is told that a key is taken has found one of somebody's: that counts like a login that failed. */
function isTaken(apiKey: string, guard: GuessGuard | undefined): Fault {
  const fault = new Fault('conflict', 'this API key is in use already')
  return guard ? guard.throttle.failed({ apiKey, remoteAddress: guard.remoteAddress }, fault) : fault
}

/** Kept as sent and as a time; an empty text takes an end away. */
export function expiry(text: string | undefined): Pick<ApiKeyRow, 'expires_at' | 'expires_at_ms'> {
  if (text === undefined || text === '') return { expires_at: null, expires_at_ms: null }
  const ms = Date.parse(text)
  if (!/^\d{4}-\d\d-\d\dT/.test(text) || Number.isNaN(ms)) {
    const target = { type: 'field', name: 'expires_at' } as const
    throw new Fault('invalid', 'expires_at is not a date and time such as 2049-01-02T18:30+0000', { target })
  }
  return { expires_at: text, expires_at_ms: ms }
}
