// What those ask who make the use of keys visible: port.ts, `KeyLedgerPort`. Permission is the key manager's own: whoever
// may list a key's registrations may see its uses, and an action is planned by whoever may do it.

import type { Clock } from '#base/clock.ts'
import { unreachable } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { providerAccountId } from '#base/provider.ts'
import type { Random } from '#base/random.ts'
import type { Audit } from '#events/audit.ts'
import type { AuthorizationsPort, Caller, IamPort, ServiceSubject } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { noSuchInstance } from './access.ts'
import type { Access } from './access.ts'
import { watchAction } from './audited-port.ts'
import type { KeyLifecycle } from './key-lifecycle.ts'
import type { KeyDeletion } from './key-deletion.ts'
import type { KeyRotation } from './key-rotation.ts'
import { crnOf, keyCrn } from './key.ts'
import type { KeyState } from './key-state.ts'
import type { Key } from './key.ts'
import { askedByKey, keyNameOf, locate, targetOf } from './key-name.ts'
import { readKey } from './keys.ts'
import { makeImpact } from './impact.ts'
import type { LeaseBook } from './lease-book.ts'
import type { KeyAsk, KeyLedgerPort, KeyRight, LedgerKey, PlannableAction } from './port.ts'
import { usedUnder } from './room.ts'
import type { Watch } from './quarantine.ts'
import { serviceOf } from './resource.ts'
import { actionOf } from './service-name.ts'
import { standingIn } from './standings.ts'
import { selectUsers } from './tables-quarantine.ts'
import { selectVolumesByKey } from './tables-room.ts'
import { selectKeyOfAnyone } from './tables-service.ts'
import {
  selectBooks,
  selectExpiring,
  selectUsedKeys,
  selectUsersOfKey,
  selectUses,
  selectUsesAt,
} from './tables-uses.ts'
import { selectDestroyedKey, selectDestroyedKeyOf, selectWrappedKeys } from './tables-wrapped-key.ts'
import type { UnwrapTimes } from './unwrap-times.ts'
import { leafOf, treeOf } from './wrapped-key-note.ts'

export function makeUses(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
  readonly access: Access
  readonly lifecycle: KeyLifecycle & KeyDeletion & KeyRotation
  readonly book: LeaseBook
  readonly unwrapTimes: UnwrapTimes
  readonly audit: Audit
  readonly random: Random
  readonly watch: Watch
}): KeyLedgerPort {
  const { reads, clock, iam, access, lifecycle, book, unwrapTimes, audit, random, watch } = parts

  async function keyBy<Action extends string>(ask: KeyAsk, action: Action): Promise<LedgerKey> {
    requirePerson(ask.caller)
    const [asked, id] = askedByKey(ask)
    return ledgerKey(await readKey(reads, await access.key(asked, action, id), clock.now()))
  }

  /** By the one question that all of it hangs on: may the service unwrap? */
  async function rightOf({ keyCrn: wanted, as }: { keyCrn: string; as: ServiceSubject }): Promise<KeyRight> {
    const name = keyNameOf(wanted)
    if (!name) return noRight
    const located = await locate(reads, name)
    const decision = await iam.decide(as, actionOf(name.serviceName, 'kms.secrets.unwrap'), targetOf(name, located))
    if (!decision.permitted) return { ...noRight, ...(decision.passed && { boundedBy: decision.passed }) }
    const key = located ? await selectKeyOfAnyone(reads, name.keyId, clock.now()) : null
    return {
      standing: standingIn(key?.state ?? 'destroyed'),
      policyId: decision.policyId,
      newestVersionId: key?.newestVersion.id ?? null,
      expiresAt: key?.expiresAt ?? null,
      ...(key?.quarantine && { quarantine: await quarantineOf(key.id, key.quarantine.since, as) }),
    }
  }

  async function quarantineOf(keyId: string, since: number, as: ServiceSubject) {
    await watch.flush()
    const users = await selectUsers(reads, keyId, as.accountId)
    const own = users.find(({ user }) => user === as.serviceName)
    return { since, count: own?.count ?? 0, lastAt: own?.lastAt ?? null }
  }

  async function act(ask: KeyAsk, action: PlannableAction, { force }: { readonly force: boolean }): Promise<void> {
    const [asked, id] = askedByKey(ask)
    switch (action) {
      case 'disable':
        return await lifecycle.disable(asked, id)
      case 'delete':
        return void (await lifecycle.remove(asked, id, force))
      case 'rotate':
        return await lifecycle.rotate(asked, id, null)
      default:
        return unreachable(action)
    }
  }

  async function stateOf(crn: string): Promise<KeyState> {
    const name = keyNameOf(crn)
    const key = name ? await selectKeyOfAnyone(reads, name.keyId, clock.now()) : null
    return key?.state ?? 'destroyed'
  }

  return {
    keyForUses: (ask) => keyBy(ask, 'kms.registrations.listforkey'),
    keyForAction: (ask, action) => keyBy(ask, actions[action]),
    async uses({ keyId, at, after, limit }) {
      if (at !== null) {
        const past = await selectUsesAt(reads, { keyId, at, after, limit })
        return past.map((use) => ({ ...use, lastUnwrappedAt: null, isOpen: null }))
      }
      await unwrapTimes.flush()
      const open = new Set(book.openUnder(keyId))
      const uses = await selectUses(reads, { keyId, after, limit })
      return uses.map((use) => ({ ...use, isOpen: open.has(use.resourceCrn) }))
    },
    async usersOf(crn, at) {
      const name = keyNameOf(crn)
      const rows = name ? await selectUsersOfKey(reads, name.keyId, at) : []
      return [...Map.groupBy(rows, (row) => row.accountId)].map(([accountId, own]) => ({
        accountId,
        resourceCrns: own.map((row) => row.resourceCrn),
      }))
    },
    foreignUses: (accountId) => selectUsedKeys(reads, { accountId, exceptOwner: providerAccountId }),
    async amounts({ ownerAccountId, accountId, covers }) {
      return usedUnder(await selectVolumesByKey(reads, { ownerAccountId, accountId, exceptCrn: null }), covers)
    },
    rights: (requests) => Promise.all(requests.map(rightOf)),
    async expiring(after, until) {
      const keys = await selectExpiring(reads, { after, until }, clock.now())
      return keys.map((key) => ({
        keyCrn: crnOf(key),
        accountId: key.instance.accountId,
        expiresAt: key.expiresAt ?? until,
      }))
    },
    books: ({ resourceCrn, keyCrn: crn }, limit) =>
      selectBooks(reads, { resourceCrn, keyId: keyNameOf(crn)?.keyId ?? crn }, limit),
    states: (keyCrns) => Promise.all(keyCrns.map(stateOf)),
    destroyedKey: (accountId, keyId) => selectDestroyedKey(reads, accountId, keyId),
    destroyedDataKeys: (wanted) => destroyedDataKeys(reads, wanted),
    impact: makeImpact(parts),
    act: (ask, action, options) =>
      watchAction(audit, actions[action], ask, makeUuid(random), () => act(ask, action, options)),
  }
}

export const actions = {
  disable: 'kms.secrets.disable',
  delete: 'kms.secrets.delete',
  rotate: 'kms.secrets.rotate',
} as const satisfies Record<PlannableAction, string>

/** A service that may use a key sees its own registrations, and nobody else's use of it. */
export function requirePerson(caller: Caller): void {
  if (serviceOf(caller)) throw noSuchInstance()
}

export const ledgerKey = (key: Key): LedgerKey => ({
  keyId: key.id,
  keyCrn: keyCrn(key.instance, key.id),
  accountId: key.instance.accountId,
  state: key.state,
  newestVersionId: key.newestVersion.id,
  expiresAt: key.expiresAt,
})

const noRight: KeyRight = { standing: 'unauthorized', policyId: null, newestVersionId: null, expiresAt: null }

async function destroyedDataKeys(
  reads: Reads,
  wanted: Parameters<KeyLedgerPort['destroyedDataKeys']>[0],
): ReturnType<KeyLedgerPort['destroyedDataKeys']> {
  const key = await selectDestroyedKeyOf(reads, wanted)
  if (!key) return null
  const notes = await selectWrappedKeys(reads, key.keyId, key.dataKeyCount)
  const tree = treeOf(notes)
  const dataKeys = notes.flatMap((note, index) =>
    note.resourceCrn === wanted.resourceCrn && note.accountId === wanted.accountId
      ? [{ leaf: leafOf(note), index, hashes: tree.proofOf(index) }]
      : [],
  )
  return dataKeys.length === 0 ? null : { key, dataKeys }
}
