// A key in quarantine is used as before, and every use that a disabled key would refuse is counted: by whom, how often, and
// the last of them. Whoever means to disable or delete a key sees there who would miss it, and they see it too. Keyward's own.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { quarantineUsesMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { told } from './key-lifecycle.ts'
import { readKey } from './keys.ts'
import type { LeaseBook } from './lease-book.ts'
import type { Registrant } from './resource.ts'
import { addUses, clearUses, selectUsers, setQuarantine } from './tables-quarantine.ts'
import type { NewUse, QuarantineUse } from './tables-quarantine.ts'

/** Who uses a key: a service of an account, or somebody by an IAM id. */
export interface KeyUser {
  readonly accountId: string
  /** The service's name, or the IAM id. */
  readonly user: string
}

export const userOf = ({ serviceName, accountId }: Registrant): KeyUser => ({ accountId, user: serviceName })

export interface Watch {
  /** One use for each resource, null where none is named. Costs nothing where the key is not in quarantine. */
  note(key: Key, by: KeyUser, action: string, resourceCrns: readonly (string | null)[]): void
  /** Writes what waits: whoever reads it asks for it first. */
  flush(): Promise<void>
}

/** Uses change nothing that anybody relies on, and are written together, a moment later; a kill may cost the last of them. */
export function makeWatch(parts: {
  readonly database: Database
  readonly clock: Clock
  /** Of keys. */
  readonly keyClock: Clock
  readonly log: Log
}): Watch {
  const { database, clock, keyClock, log } = parts
  // One entry for each user of a key: bounded by who may use it.
  let waiting = new Map<string, NewUse>()
  let writing = Promise.resolve()
  let cancelTimer: (() => void) | null = null

  /** Resolves when what was noted before is written, also by a call that is under way. */
  function flush(): Promise<void> {
    cancelTimer?.()
    cancelTimer = null
    const batch = waiting
    waiting = new Map()
    if (batch.size > 0) writing = writing.then(() => write(batch))
    return writing
  }

  async function write(batch: typeof waiting): Promise<void> {
    try {
      await database.transaction((tx) => addUses(tx, [...batch.values()]))
    } catch (error) {
      log.error({ err: error, count: batch.size }, 'uses of keys in quarantine could not be written')
    }
  }

  return {
    note(key, by, action, resourceCrns) {
      if (!key.quarantine || resourceCrns.length === 0) return
      const { since } = key.quarantine
      const name = `${key.id} ${since} ${by.accountId} ${by.user}`
      const before = waiting.get(name)?.count ?? 0
      const lastResourceCrn = resourceCrns.at(-1) ?? null
      const count = before + resourceCrns.length
      const last = { lastAt: keyClock.now(), lastAction: action, lastResourceCrn }
      waiting.set(name, { keyId: key.id, since, ...by, count, ...last })
      cancelTimer ??= clock.after(quarantineUsesMs, () => void flush())
    },
    flush,
  }
}

export interface QuarantineReport {
  readonly key: Key
  readonly since: number | null
  readonly users: readonly (QuarantineUse & { readonly openCount: number })[]
}

export type Quarantine = ReturnType<typeof makeQuarantine>

export function makeQuarantine(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
  readonly book: LeaseBook
  readonly watch: Watch
}) {
  const { database, outbox, clock, access, book, watch } = parts

  /** Put into it again, it stays as it is: what has been counted is not lost. */
  async function begin(asked: Asked, id: string): Promise<QuarantineReport> {
    const grant = await access.key(asked, 'kms.secrets.disable', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireRootKey(key)
      requireState(key, 'quarantine')
      if (key.quarantine) return
      await clearUses(tx, key.id)
      await setQuarantine(tx, grant, { since: now, by: asked.caller.iamId }, now)
      await outbox.append(tx, { type: 'kms.key.quarantined', ...told(asked, key) })
    })
    return await report(grant)
  }

  async function lift(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.enable', id)
    await watch.flush()
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      if (!key.quarantine) throw new Fault('not_found', `key ${key.id} is not in quarantine`)
      await clearUses(tx, key.id)
      await setQuarantine(tx, grant, null, now)
      await outbox.append(tx, { type: 'kms.key.quarantine-lifted', ...told(asked, key) })
    })
  }

  async function get(asked: Asked, id: string): Promise<QuarantineReport> {
    return await report(await access.key(asked, 'kms.registrations.listforkey', id))
  }

  /** A lease that is out is a use that goes on: its holder is a user, whether or not it has asked again since. */
  async function report(grant: Parameters<typeof readKey>[1]): Promise<QuarantineReport> {
    await watch.flush()
    const key = await readKey(database.reads, grant, clock.now())
    if (!key.quarantine) return { key, since: null, users: [] }
    const counted = await selectUsers(database.reads, key.id)
    const users = counted.map((one) => ({
      ...one,
      openCount: book.countUnder(key.id, { kind: 'service', serviceName: one.user, accountId: one.accountId }),
    }))
    const known = new Set(counted.map(({ accountId, user }) => `${accountId} ${user}`))
    const silent = book.usersUnder(key.id).filter((one) => !known.has(`${one.accountId} ${one.serviceName}`))
    const since = key.quarantine.since
    return {
      key,
      since,
      users: [
        ...users,
        ...silent.map(({ accountId, serviceName, openCount }) => ({
          keyId: key.id,
          accountId,
          user: serviceName,
          count: 0,
          openCount,
          lastAt: null,
          lastAction: null,
          lastResourceCrn: null,
        })),
      ],
    }
  }

  return { begin, lift, get }
}
