// Registrations as services write them over HTTP: this resource of mine is protected by that key. People may look, and do
// no more. Block storage of this installation registers through the port instead (data-keys.ts), together with the wrap.
// Source: Key Protect, "Viewing associations between root keys and encrypted IBM Cloud resources", "Error messages"
// (SERVICE_ONLY_ERR, RESOURCE_OWNER_ERR, KEY_ROOT_REQ_REG_ERR, KEY_INVALID_STATE_ERR, KEY_VERSION_INVALID).

import type { Static } from 'typebox'
import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { registrationDescriptionLengthMax, registrationMetadataLengthMax } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { AuthorizationsPort } from '#iam/port.ts'
import type { Database, Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { invalidField } from './base64.ts'
import { onlyResource } from './envelope.ts'
import type { Key } from './key.ts'
import { told } from './key-lifecycle.ts'
import { isAllowed } from './key-state.ts'
import { readKey } from './keys.ts'
import type { Leases } from './leases.ts'
import { isOwn, registeredByAnother, requireOwnResource, requireService } from './resource.ts'
import { userOf } from './quarantine.ts'
import type { Watch } from './quarantine.ts'
import { purposeOf, requireRoom } from './room.ts'
import { announceConvergence } from './rotation-progress.ts'
import type { registrationBody } from './schemas-settings.ts'
import { selectOneRegistration, selectRegistration, upsertRegistration } from './tables-registration.ts'
import type { RegisterGrant, Registration, RegistrationNotes } from './tables-registration.ts'
import { deleteOwnRegistration } from './tables-service.ts'
import { selectOrdinal } from './tables-version.ts'

/** What a service says; what is absent stays, or begins empty. */
export type RegistrationRequest = Partial<RegistrationNotes>

export type Registering = ReturnType<typeof makeRegistering>

/** How what is there already is treated: it must not be, it is replaced whole, or it is changed where something is said. */
type Manner = 'create' | 'replace' | 'merge'

const actions = {
  create: 'kms.registrations.create',
  replace: 'kms.registrations.write',
  merge: 'kms.registrations.merge',
} as const satisfies Record<Manner, string>

export function makeRegistering(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
  readonly authorizations: AuthorizationsPort
  readonly leases: Leases
  readonly watch: Watch
}) {
  const { database, outbox, clock, access, authorizations, leases, watch } = parts

  async function write(
    asked: Asked,
    manner: Manner,
    where: { readonly id: string; readonly resourceCrn: string },
    request: RegistrationRequest,
  ): Promise<Registration> {
    const by = requireService(asked.caller)
    const { id, resourceCrn } = where
    requireOwnResource(resourceCrn, by)
    const asNew = purposeOf(resourceCrn)
    const grant = await access.key(asked, actions[manner], id, manner === 'create' ? asNew : undefined)
    const { key, written } = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireRegistrable(key)
      const before = await selectRegistration(tx, grant, resourceCrn)
      if (before && !isOwn(before, by)) throw registeredByAnother(resourceCrn)
      if (before && manner === 'create') throw registeredAlready(resourceCrn)
      if (!before && manner === 'merge') throw registrationNotFound(resourceCrn)
      const kept = manner === 'merge' ? before?.keyVersionId : undefined
      const keyVersionId = request.keyVersionId ?? kept ?? key.newestVersion.id
      await requireForward(tx, grant, before?.keyVersionId ?? null, keyVersionId)
      if (!before) {
        // What is put in the place of nothing is new, and held to the bounds of what is.
        const leave = manner === 'create' ? grant : await access.key(asked, actions[manner], id, asNew)
        const { accountId } = by
        await requireRoom(tx, authorizations, leave, { resourceCrn, accountId, isNew: true })
      }
      const notes = manner === 'merge' ? request : { ...blank, ...request }
      await upsertRegistration(tx, grant, before, { ...notes, keyVersionId, resourceCrn, by, now })
      const type = before ? 'kms.registration.updated' : 'kms.registration.created'
      await outbox.append(tx, { type, ...told(asked, key), resourceCrn, keyVersionId })
      if (before && before.keyVersionId !== keyVersionId) await announceConvergence(tx, outbox, key, told(asked, key))
      const written = await selectOneRegistration(tx, grant, resourceCrn)
      assert(written, 'what was written in this transaction is read in it')
      return { key, written }
    })
    watch.note(key, userOf(by), actions[manner], [resourceCrn])
    return written
  }

  async function remove(asked: Asked, id: string, resourceCrn: string): Promise<void> {
    const by = requireService(asked.caller)
    requireOwnResource(resourceCrn, by)
    const grant = await access.key(asked, 'kms.registrations.delete', id)
    const key = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      const removed = await deleteOwnRegistration(tx, { keyId: key.id, resourceCrn, by, now })
      if (!removed) throw registrationNotFound(resourceCrn)
      await outbox.append(tx, { type: 'kms.registration.deleted', ...told(asked, key), resourceCrn })
      if (removed.isStale) await announceConvergence(tx, outbox, key, told(asked, key))
      return key
    })
    await leases.fenceResource(key.id, resourceCrn)
  }

  return { write, remove }
}

export function registrationRequest(body: Static<typeof registrationBody> | undefined): RegistrationRequest {
  if (body === undefined) return {}
  const said = onlyResource(body, 'registration_input')
  const { description, preventKeyDeletion, keyVersionId, registrationMetadata: metadata } = said
  requireShort('description', description, registrationDescriptionLengthMax)
  requireShort('registrationMetadata', metadata, registrationMetadataLengthMax)
  return {
    ...(description !== undefined && { description }),
    ...(preventKeyDeletion !== undefined && { preventKeyDeletion }),
    ...(keyVersionId !== undefined && { keyVersionId }),
    ...(metadata !== undefined && { metadata }),
  }
}

const blank = { description: '', preventKeyDeletion: false, metadata: null } as const

function requireShort(field: string, text: string | undefined, lengthMax: number): void {
  if (text === undefined || (text.isWellFormed() && text.length <= lengthMax)) return
  throw invalidField(field, `${field} must have at most ${lengthMax} characters`)
}

function requireRegistrable(key: Key): void {
  if (key.extractable) {
    throw new Fault('unprocessable', `key ${key.id} is a standard key, resources are registered on root keys`, {
      reason: 'KEY_ROOT_REQ_REG_ERR',
    })
  }
  if (isAllowed('register', key.state)) return
  throw new Fault('unprocessable', `key ${key.id} is ${key.state}, resources are registered on active keys`, {
    reason: 'KEY_INVALID_STATE_ERR',
  })
}

/** A resource does not go back to an older version than it was said to have. */
async function requireForward(reads: Reads, grant: RegisterGrant, before: string | null, next: string): Promise<void> {
  const from = before === null ? 0 : await selectOrdinal(reads, grant, before)
  const to = await selectOrdinal(reads, grant, next)
  if (from !== null && to !== null && to >= from) return
  throw new Fault('unprocessable', 'keyVersionId is no version of the key, or older than the one on record', {
    reason: 'KEY_VERSION_INVALID',
    target: { type: 'field', name: 'keyVersionId' },
  })
}

const registeredAlready = (resourceCrn: string): Fault =>
  new Fault('conflict', `resource ${resourceCrn} is registered on the key already`, {
    reason: 'REGISTRATION_ALREADY_EXISTS_ERR',
  })

const registrationNotFound = (resourceCrn: string): Fault =>
  new Fault('not_found', `resource ${resourceCrn} is not registered on the key`, {
    reason: 'REGISTRATION_NOT_FOUND_ERR',
  })
