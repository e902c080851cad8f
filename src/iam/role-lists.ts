// Which roles stand in the list that somebody asks for: of a service, for a type of policy, for a source. Pure. Source: IBM
// Cloud IAM policy management API, "List roles". Clients find roles by display name and turn CRNs back into the first name
// that a list has for them, so lists are never empty and their order counts.

import { actionConcerns, isIamService } from './actions.ts'
import { delegatorOldName, delegatorRole, roles } from './roles.ts'
import type { PolicyType, Role } from './roles.ts'

export interface RoleQuestion {
  readonly serviceName: string | null
  readonly sourceServiceName: string | null
  readonly policyType: PolicyType | null
  readonly serviceGroupId: string | null
}

/** What Terraform asks for when a policy is for all services: the levels, which each of them has. */
const everyService = 'alliamserviceroles'

export function listedRoles(question: RoleQuestion): {
  readonly system: readonly Role[]
  readonly service: readonly Role[]
} {
  const { sourceServiceName, policyType } = question
  const type = policyType ?? (sourceServiceName === null ? 'access' : 'authorization')
  const listed = roles.filter((role) => role.policyTypes.includes(type) && isOf(role, question))
  const shown = listed.map((role) => ({ ...role, actions: actionsFor(role, question) }))
  return {
    system: shown.filter(({ plane }) => plane === 'platform').flatMap(withOldName),
    service: shown.filter(({ plane }) => plane === 'service'),
  }
}

function isOf({ serviceName }: Role, question: RoleQuestion): boolean {
  if (serviceName === null) return true
  if (question.serviceGroupId === 'IAM') return isIamService(serviceName)
  return serviceName === question.serviceName
}

function actionsFor({ actions }: Role, { serviceName, serviceGroupId }: RoleQuestion): readonly string[] {
  if (serviceName !== null && serviceName !== everyService) {
    return actions.filter((action) => actionConcerns(action, serviceName))
  }
  if (serviceGroupId !== 'IAM') return actions
  return actions.filter((action) =>
    ['iam-access-management', 'iam-groups', 'iam-identity'].some((service) => actionConcerns(action, service)),
  )
}

/** Older configurations know the role by another name; the current one comes first and is what they are shown. */
const withOldName = (role: Role): readonly Role[] =>
  role.crn === delegatorRole ? [role, { ...role, displayName: delegatorOldName }] : [role]
