// The question "would they, and if not, why not", before anybody has tried. Whoever asks about others may read their
// account's policies; nobody asks about what is another account's on both sides.

import { Fault } from '#base/fault.ts'
import type { Explanation } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import type { Permissions } from './permissions.ts'
import type { Caller, Context, ServiceSubject, Subject, Target } from './port.ts'
import { readIdentityForQuestion } from './tables-questions.ts'

export interface Question {
  readonly action: string
  /** Null for whoever asks. */
  readonly subject: { readonly iamId: string } | ServiceSubject | null
  readonly target: Target
}

export type Answer =
  | { readonly permitted: true; readonly policyId: string | null }
  | { readonly permitted: false; readonly message: string; readonly explanation: Explanation | null }

export interface Explanations {
  ask(context: Context, question: Question): Promise<Answer>
}

export function makeExplanations(parts: {
  readonly database: Database
  readonly permissions: Permissions
}): Explanations {
  const { database, permissions } = parts

  async function subjectOf(caller: Caller, { subject, target }: Question): Promise<Subject> {
    if (subject === null || ('iamId' in subject && subject.iamId === caller.iamId)) return caller
    const known = 'iamId' in subject ? await readIdentityForQuestion(database.reads, subject.iamId) : subject
    const isOwn = known?.accountId === caller.accountId
    if (!isOwn && target.accountId !== caller.accountId) throw notTheirs()
    const reading = { accountId: caller.accountId, serviceName: 'iam-access-management' }
    await permissions.authorize(caller, 'iam.policy.read', reading)
    // Of an identity that is not the account's own nothing is looked up: it is asked about by its id, as policies do.
    if ('iamId' in subject && !isOwn)
      return { ...subject, kind: 'user', accountId: target.accountId, name: subject.iamId }
    return known ?? caller
  }

  return {
    async ask({ caller }, question) {
      const subject = await subjectOf(caller, question)
      const { action, target } = question
      const foreseen = await permissions.foresee(subject, action, target)
      if (foreseen.permitted) {
        return { permitted: true, policyId: target.accountId === caller.accountId ? foreseen.policyId : null }
      }
      const { message, explanation } = foreseen.fault
      return { permitted: false, message, explanation: explanation ?? null }
    },
  }
}

const notTheirs = (): Fault =>
  new Fault('forbidden', 'a caller asks about identities and services of its own account, or about its own resources')
