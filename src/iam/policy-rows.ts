// A policy as a row and back. Rows are written here and nowhere else, so what is read has these shapes.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { PolicyId } from '#base/id.ts'
import type { IamTables } from '#store/schema/iam.ts'
import { endOf } from './bounds.ts'
import { delegates } from './delegation.ts'
import { resourceKeyOf, subjectKeyOf } from './policy-keys.ts'
import { fingerprintOf, serviceTypeOfFacts, valueOf } from './policy.ts'
import type { Facts, Policy, PolicyDocument, PolicyDraft } from './policy.ts'

export type PolicyRow = Selectable<IamTables['iam_policy']>

/** What of a row follows from the draft. */
export function rowOfDraft({ type, facts, sent }: PolicyDraft) {
  const subjectKey = subjectKeyOf(facts.subject)
  assert(subjectKey !== null, 'a policy that is stored can be found by its subject')
  return {
    type,
    subject_key: subjectKey,
    resource_key: resourceKeyOf(facts.resource),
    service_type: serviceTypeOfFacts(facts),
    service_name: valueOf(facts.resource, 'serviceName') ?? null,
    service_group_id: valueOf(facts.resource, 'service_group_id') ?? null,
    document: JSON.stringify(sent),
    facts: JSON.stringify(facts),
    fingerprint: fingerprintOf(type, facts),
    delegates: delegates(facts) ? (1 as const) : (0 as const),
    bounded: facts.bounds ? (1 as const) : (0 as const),
    ends_at: endOf(facts.bounds),
    end_noted: 0 as const,
  }
}

export const rowOf = (policy: Policy): PolicyRow => ({
  ...rowOfDraft(policy),
  id: policy.id,
  account_id: policy.accountId,
  state: policy.state,
  facts_before: null,
  parent_id: policy.parent?.policyId ?? null,
  delegated_by: policy.parent?.accountId ?? null,
  revision: policy.revision,
  created_at: policy.createdAt,
  created_by_id: policy.createdById,
  last_modified_at: policy.lastModifiedAt,
  last_modified_by_id: policy.lastModifiedById,
})

export const policyOf = (row: PolicyRow): Policy => ({
  // Ids of rows were made for policies.
  id: row.id as PolicyId,
  accountId: row.account_id,
  type: row.type,
  state: row.state,
  sent: parseDocument(row.document),
  facts: parseFacts(row.facts),
  revision: row.revision,
  ...(row.parent_id !== null &&
    row.delegated_by !== null && { parent: { policyId: row.parent_id, accountId: row.delegated_by } }),
  createdAt: row.created_at,
  createdById: row.created_by_id,
  lastModifiedAt: row.last_modified_at,
  lastModifiedById: row.last_modified_by_id,
})

export const parseFacts = (text: string): Facts => JSON.parse(text) as Facts
export const parseDocument = (text: string): PolicyDocument => JSON.parse(text) as PolicyDocument
