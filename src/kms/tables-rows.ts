// A key as it lies in the tables, and as the rest of this folder knows it.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { KmsTables } from '#store/schema/kms.ts'
import type { Key } from './key.ts'
import { stateAt, stateOf } from './key-state.ts'
import type { KeyPolicies } from './policy.ts'
import type { KmsServiceName } from './service-name.ts'

/** Every key, with its instance and its newest version; whoever selects from it narrows it. */
export const selectWholeKeys = (reads: Reads) =>
  reads
    .selectFrom('kms_key')
    .innerJoin('kms_instance', 'kms_instance.id', 'kms_key.instance_id')
    .innerJoin('kms_key_version as newest', (join) =>
      join.onRef('newest.key_id', '=', 'kms_key.id').on(({ eb, selectFrom }) =>
        eb(
          'newest.ordinal',
          '=',
          selectFrom('kms_key_version')
            .select((e) => e.fn.max('ordinal').as('ordinal'))
            .whereRef('kms_key_version.key_id', '=', 'kms_key.id'),
        ),
      ),
    )
    .selectAll('kms_key')
    .select(['kms_instance.service_name', 'kms_instance.account_id', 'kms_instance.region'])
    .select('kms_instance.resource_group_id')
    .select(['newest.id as newest_id', 'newest.created_at as newest_created_at'])

type KeyRow = Selectable<KmsTables['kms_key']> & {
  service_name: KmsServiceName
  account_id: string
  region: string
  resource_group_id: string
  newest_id: string
  newest_created_at: number
}

export function toKey(row: KeyRow, now: number): Key {
  const written = stateOf(row.state)
  assert(written !== null, 'a stored state is one of the table')
  return {
    id: row.id,
    instance: {
      id: row.instance_id,
      serviceName: row.service_name,
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
    },
    keyRing: row.key_ring,
    name: row.name,
    description: row.description,
    tags: parseTags(row.tags),
    extractable: row.extractable === 1,
    imported: row.imported === 1,
    state: stateAt(written, row.expires_at, now),
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
    rotatedAt: row.rotated_at,
    expiresAt: row.expires_at,
    deleted:
      row.deleted_at === null || row.deleted_by === null
        ? null
        : { at: row.deleted_at, by: row.deleted_by, approvedBy: row.deletion_approved_by },
    stateChangedAt: row.state_changed_at,
    syncedAt: row.synced_at,
    policies: parsePolicies(row.policies),
    rotationDueAt: row.rotation_due_at,
    deletionSet:
      row.deletion_set_by === null || row.deletion_set_until === null
        ? null
        : { by: row.deletion_set_by, until: row.deletion_set_until },
    quarantine:
      row.quarantined_at === null || row.quarantined_by === null
        ? null
        : { since: row.quarantined_at, by: row.quarantined_by },
    newestVersion: { id: row.newest_id, createdAt: row.newest_created_at },
  }
}

function parseTags(json: string): readonly string[] {
  const tags: unknown = JSON.parse(json)
  assert(Array.isArray(tags), 'tags are stored as an array')
  return tags.filter((tag) => typeof tag === 'string')
}

/** Written by tables-key.ts: the shape is known. */
const parsePolicies = (json: string): KeyPolicies => JSON.parse(json) as KeyPolicies

export function instanceIdOf(grant: Grant): string {
  const { serviceInstance } = grant.target
  assert(serviceInstance, 'a grant of this service names the instance')
  return serviceInstance
}

export function keyIdOf(grant: Grant): string {
  const { resource } = grant.target
  assert(resource, 'a grant for a key names the key')
  return resource
}
