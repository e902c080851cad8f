// After a rotation the services bring their data keys to the newest version, many in one transaction: what a rotation costs
// is commits, not cryptography. A data key that does not open is refused alone; the others of its batch go on.

import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rewrapBatchMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { unwrapKey, versionOf, wrapKey, wrappedKeyRefusal } from '#crypto/wrapped-key.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant, IamPort, ServiceSubject } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import { crnOf, keyNotFound, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { openVersion } from './key-material.ts'
import { authorizeNamed, keyNameOf, locate, parseKeyName, targetOf } from './key-name.ts'
import { isAllowed } from './key-state.ts'
import { readKey } from './keys.ts'
import type { HeldDataKey, KmsPort, RewrapRequest, WrappedDataKey } from './port.ts'
import { dataKeyAad, isOwn, registeredByAnother, requireOwnResource, serviceIamId } from './resource.ts'
import { userOf } from './quarantine.ts'
import type { Watch } from './quarantine.ts'
import { announceConvergence } from './rotation-progress.ts'
import { actionOf } from './service-name.ts'
import { moveRegistrations, selectRegistrationsByCrn, upsertRegistration } from './tables-registration.ts'
import type { OwnRegistration, RegisterGrant } from './tables-registration.ts'
import { selectKeyOfAnyone, selectVersionsOfRegistrations } from './tables-service.ts'
import { selectVersion } from './tables-version.ts'
import { insertWrappedKeys } from './tables-wrapped-key.ts'
import { wrappedKeyNote } from './wrapped-key-note.ts'

export type Rewrapping = Pick<KmsPort, 'rewrapDataKeys' | 'lagging'>

export function makeRewrapping(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly iam: IamPort
  readonly watch: Watch
}): Rewrapping {
  const { database, outbox, clock, random, sealer, iam, watch } = parts

  /** What does not open under the key moves no registration: the bytes are the proof that the resource is protected. */
  async function rewrapDataKeys({ keyCrn: wanted, as, held }: RewrapRequest) {
    assert(held.length <= rewrapBatchMax, 'a batch holds up no other transaction for long')
    const name = parseKeyName(wanted)
    for (const { resourceCrn } of held) requireOwnResource(resourceCrn, as)
    const located = await locate(database.reads, name)
    const grant = await authorizeNamed(iam, { as, action: 'kms.secrets.rewrap', name, located })
    const leave = await authorizeNamed(iam, { as, action: 'kms.registrations.write', name, located })
    if (!located) throw keyNotFound(name.keyId)
    const { key, results, done } = await database.transaction(async (tx) => {
      const key = await readKey(tx, grant, clock.now())
      requireState(key, 'rewrap')
      requireRootKey(key)
      const crns = held.map(({ resourceCrn }) => resourceCrn)
      const registered = await selectRegistrationsByCrn(tx, grant, crns)
      using roots = await openRoots(tx, grant, key, held)
      const results = held.map(({ resourceCrn, wrapped }) => {
        const before = registered.get(resourceCrn)
        if (before && !isOwn(before, as)) return registeredByAnother(resourceCrn)
        return rewrapped(key, roots, wrapped, resourceCrn)
      })
      const done = crns.filter((_, i) => !(results[i] instanceof Fault))
      const now = clock.now()
      const made = results.flatMap((result, i) =>
        result instanceof Fault ? [] : [{ ...result, keyId: key.id, resourceCrn: crns[i] ?? '', by: as, now }],
      )
      await insertWrappedKeys(
        tx,
        made.map((one) => wrappedKeyNote(one, random)),
      )
      await move(tx, { leave, key, as, registered, done: new Set(done) })
      return { key, results, done }
    })
    watch.note(key, userOf(as), 'kms.secrets.rewrap', done)
    return results
  }

  function rewrapped(key: Key, roots: Roots, wrapped: Uint8Array, resourceCrn: string): WrappedDataKey | Fault {
    const versionId = key.newestVersion.id
    const aad = dataKeyAad(resourceCrn)
    const openedById = versionOf(wrapped)
    const root = openedById === null ? undefined : roots.get(openedById)
    if (!root) return wrappedKeyRefusal()
    try {
      using dataKey = unwrapKey({ wrapped, rootKey: root, keyId: key.id, aad })
      const facts = { keyCrn: crnOf(key), keyVersionId: versionId }
      if (openedById === versionId) return { ...facts, wrapped }
      const rootKey = roots.newest
      const again = dataKey.use((plaintext) => wrapKey({ plaintext, rootKey, keyId: key.id, versionId, aad, random }))
      return { ...facts, wrapped: again }
    } catch (error) {
      if (error instanceof Fault) return error
      throw error
    }
  }

  /** The newest version and those that the data keys name, open until the batch is done. */
  async function openRoots(
    tx: Tx,
    grant: Grant<'kms.secrets.rewrap'>,
    key: Key,
    held: RewrapRequest['held'],
  ): Promise<Roots> {
    const newestId = key.newestVersion.id
    const named = held.map(({ wrapped }) => versionOf(wrapped)).filter((id) => id !== null)
    using opened = new DisposableStack()
    const roots = new Map<string, SecretBytes>()
    for (const versionId of new Set([newestId, ...named])) {
      const version = await selectVersion(tx, grant, versionId)
      if (version) roots.set(versionId, opened.use(openVersion(sealer, version)))
    }
    const newest = roots.get(newestId)
    assert(newest, 'versions stay as long as their key')
    const kept = opened.move()
    return { newest, get: (versionId) => roots.get(versionId), [Symbol.dispose]: () => kept.dispose() }
  }

  async function move(
    tx: Tx,
    change: {
      readonly leave: RegisterGrant
      readonly key: Key
      readonly as: ServiceSubject
      readonly registered: ReadonlyMap<string, OwnRegistration>
      readonly done: ReadonlySet<string>
    },
  ): Promise<void> {
    const { leave, key, as, registered, done } = change
    const now = clock.now()
    const keyVersionId = key.newestVersion.id
    const facts = { accountId: key.instance.accountId, initiatorId: serviceIamId(as), keyCrn: crnOf(key) }
    const stale = new Map(
      [...registered].filter(([crn, before]) => done.has(crn) && before.keyVersionId !== keyVersionId),
    )
    if (stale.size > 0) {
      await moveRegistrations(tx, leave, stale, { keyVersionId, by: as, now })
      const resourceCrns = [...stale.keys()]
      await outbox.append(tx, { type: 'kms.registrations.followed', ...facts, resourceCrns, keyVersionId })
    }
    // Taken away by a forced deletion, and back with the restored key.
    for (const resourceCrn of done) {
      if (registered.has(resourceCrn)) continue
      await upsertRegistration(tx, leave, null, { resourceCrn, keyVersionId, by: as, now })
      await outbox.append(tx, { type: 'kms.registration.created', ...facts, resourceCrn, keyVersionId })
    }
    if (stale.size > 0) await announceConvergence(tx, outbox, key, facts)
  }

  async function lagging(held: readonly HeldDataKey[]): Promise<readonly boolean[]> {
    const groups = Map.groupBy(held, ({ keyCrn, as }) => `${keyCrn} ${serviceIamId(as)}`)
    const found = await Promise.all([...groups.values()].map(laggingOf))
    const all = new Set(found.flat())
    return held.map((one) => all.has(one))
  }

  /** Of one service under one key. Who may not use the key is told nothing: nothing can be done about it either. */
  async function laggingOf(held: readonly HeldDataKey[]): Promise<readonly HeldDataKey[]> {
    const [first] = held
    const name = first && keyNameOf(first.keyCrn)
    const located = name && (await locate(database.reads, name))
    if (!located) return []
    const { as } = first
    const action = actionOf(name.serviceName, 'kms.secrets.rewrap')
    const { permitted } = await iam.decide(as, action, targetOf(name, located))
    const key = permitted ? await selectKeyOfAnyone(database.reads, name.keyId, clock.now()) : null
    if (!key || !isAllowed('rewrap', key.state)) return []
    const newestId = key.newestVersion.id
    const resourceCrns = held.map(({ resourceCrn }) => resourceCrn)
    const registered = await selectVersionsOfRegistrations(database.reads, { keyId: key.id, resourceCrns, by: as })
    return held.filter(
      ({ keyVersionId, resourceCrn }) => keyVersionId !== newestId || registered.get(resourceCrn) !== newestId,
    )
  }

  return { rewrapDataKeys, lagging }
}

interface Roots extends Disposable {
  readonly newest: SecretBytes
  get(versionId: string): SecretBytes | undefined
}
