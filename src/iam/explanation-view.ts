// Hypothetical questions, from the wire and to it.

import type { Static } from 'typebox'
import type { explainReply, explainRequest } from './contract-access.ts'
import type { Answer, Question } from './explanations.ts'
import type { ServiceSubject, Target } from './port.ts'

type Body = Static<typeof explainRequest>

export const questionOf = ({ action, subject, resource }: Body): Question => ({
  action,
  subject: subject ? subjectOf(subject) : null,
  target: targetOf(resource),
})

function subjectOf(subject: NonNullable<Body['subject']>): { iamId: string } | ServiceSubject {
  if ('iam_id' in subject) return { iamId: subject.iam_id }
  return {
    kind: 'service',
    serviceName: subject.service_name,
    accountId: subject.account_id,
    ...placeOf(subject),
  }
}

const targetOf = (resource: Body['resource']): Target => ({
  accountId: resource.account_id,
  serviceName: resource.service_name,
  ...placeOf(resource),
  ...(resource.key_ring !== undefined && { keyRing: resource.key_ring }),
})

const placeOf = (sent: Omit<Body['resource'], 'account_id' | 'service_name' | 'key_ring'>) => ({
  ...(sent.service_instance !== undefined && { serviceInstance: sent.service_instance }),
  ...(sent.region !== undefined && { region: sent.region }),
  ...(sent.resource_type !== undefined && { resourceType: sent.resource_type }),
  ...(sent.resource !== undefined && { resource: sent.resource }),
  ...(sent.resource_group_id !== undefined && { resourceGroupId: sent.resource_group_id }),
})

export const answerView = (answer: Answer): Static<typeof explainReply> =>
  answer.permitted
    ? { decision: 'Permit', ...(answer.policyId !== null && { policy_id: answer.policyId }) }
    : { decision: 'Deny', message: answer.message, ...(answer.explanation && { explanation: answer.explanation }) }
