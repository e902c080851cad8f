// What a policy has to agree with in its account, whoever makes it. In the transaction that makes it.

import { Fault } from '#base/fault.ts'
import { policiesPerAccountMax, policiesPerSubjectMax } from '#base/limits.ts'
import type { Tx } from '#store/database.ts'
import { subjectKeyOf } from './policy-keys.ts'
import { isCustomRole, wrongField } from './policy-parse.ts'
import { valueOf } from './policy.ts'
import type { PolicyDraft } from './policy.ts'
import { hasGroup } from './tables-groups.ts'
import { knownIdentity } from './tables-identities.ts'
import { countActivePolicies, readTwin } from './tables-policies.ts'
import { readServiceOfRole } from './tables-roles.ts'

/** Whom and what it names: groups and roles of the account, and nobody whose access is locked. */
export async function checkWords(tx: Tx, { accountId, facts }: PolicyDraft): Promise<void> {
  const groupId = valueOf(facts.subject, 'access_group_id')
  if (groupId !== undefined && !(await hasGroup(tx, accountId, groupId))) {
    throw wrongField('access_group_id', `account ${accountId} has no access group ${JSON.stringify(groupId)}`)
  }
  const iamId = valueOf(facts.subject, 'iam_id')
  const identity = iamId === undefined ? null : await knownIdentity(tx, iamId)
  // Another account's reads like one that nobody knows.
  if (identity?.locked === 1 && identity.account_id === accountId) {
    // IBM Cloud IAM, "Locking service IDs": nobody gives access to a locked one.
    throw new Fault('conflict', `${iamId} is locked: unlock it to give it access`, { reason: 'policy_conflict_error' })
  }
  const serviceName = valueOf(facts.resource, 'serviceName')
  for (const crn of facts.roles.filter(isCustomRole)) {
    const service = await readServiceOfRole(tx, accountId, crn)
    if (service === null) throw wrongField('roles', `role ${JSON.stringify(crn)} does not exist`)
    if (service === serviceName) continue
    throw wrongField('roles', `role ${JSON.stringify(crn)} needs a resource with serviceName ${service}`)
  }
}

export async function checkTwin(tx: Tx, draft: PolicyDraft, exceptId: string | null): Promise<void> {
  const twin = await readTwin(tx, draft, exceptId)
  if (!twin) return
  throw new Fault('conflict', `policy ${twin.id} grants the same roles to the same subject on the same resource`, {
    reason: 'policy_conflict_error',
    extra: { conflicts_with: { policy: twin.id, etag: twin.revision } },
  })
}

export async function checkRoom(tx: Tx, { accountId, facts }: PolicyDraft): Promise<void> {
  if ((await countActivePolicies(tx, accountId, null)) >= policiesPerAccountMax) {
    throw full(`Exceeded maximum policies quota: account ${accountId} has ${policiesPerAccountMax}`)
  }
  if ((await countActivePolicies(tx, accountId, subjectKeyOf(facts.subject))) >= policiesPerSubjectMax) {
    throw full(`Exceeded maximum policies quota: this subject has ${policiesPerSubjectMax} in account ${accountId}`)
  }
}

const full = (sentence: string): Fault => new Fault('unprocessable', sentence, { reason: 'unable_to_process' })
