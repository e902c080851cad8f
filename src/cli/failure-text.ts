// A failure as people read it, and as programs do.

import type { Explanation } from '#base/fault.ts'
import { blockStorage } from '#client/authorization.ts'
import { Refusal } from '#client/refusal.ts'
import { codeOfRefusal, Failure, numberOf } from './failure.ts'
import { printable } from './shown.ts'
import { TourBroken } from './teller.ts'

export interface Failed {
  readonly exitCode: number
  readonly text: string
  readonly body: unknown
}

/** Null for a bug of ours: it has a trace instead. */
export function failedBy(error: unknown): Failed | null {
  if (error instanceof Refusal) return refused(error)
  if (error instanceof Failure) {
    const { message, next, code } = error
    const lines = [message, ...(next === undefined ? [] : [`next: ${next}`])]
    return { exitCode: numberOf(code), text: lines.join('\n  '), body: { code, message, ...(next && { next }) } }
  }
  if (error instanceof TourBroken) return { exitCode: 1, text: error.message, body: { message: error.message } }
  return null
}

function refused(refusal: Refusal): Failed {
  const { message, code, field, explanation, requestId, status } = refusal
  const next = explanation ? nextOf(explanation) : status === 0 ? 'keyward doctor' : undefined
  const about = [code, field && `field ${field}`, requestId && `request ${requestId}`].filter(Boolean).join(', ')
  const lines = [
    `${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    ...(status === 0 ? [] : [`(${about})`]),
    ...(explanation ? explained(explanation) : []),
    ...(next === undefined ? [] : [`next: ${next}`]),
  ]
  return {
    exitCode: numberOf(codeOfRefusal(refusal)),
    text: lines.map(printable).join('\n  '),
    body: {
      code,
      message,
      status,
      ...(field && { field }),
      ...(requestId && { request_id: requestId }),
      ...(explanation && { explanation }),
      ...(next && { next }),
    },
  }
}

export function explained({ account, action, setting, nearestPolicy }: Explanation): string[] {
  return [
    setting
      ? `account ${account} has a setting in the way: ${setting}`
      : `account ${account} has no policy that permits ${action}`,
    ...(nearestPolicy
      ? [
          `policy ${nearestPolicy.id} came nearest; it differs in ${nearestPolicy.differs
            .map(({ attribute, in: where }) => attribute ?? where)
            .join(', ')}`,
        ]
      : []),
  ]
}

/** What whoever can mend it would type; for authorizations of block storage there is a command of ours. */
export function nextOf({ account, subject, resource, fix, setting }: Explanation): string | undefined {
  if (setting) return `ask account ${account} to change it`
  const { serviceName, accountId: user } = subject
  const { resource: keyId, resourceType, serviceInstance } = resource
  if (serviceName === blockStorage && user && resourceType === 'key' && keyId) {
    const where = serviceInstance ? ` --key-manager ${String(serviceInstance)}` : ''
    return `in account ${account}: keyward authorizations allow ${user} ${String(keyId)}${where}`
  }
  return fix && `in account ${account}: ${fix.curl}`
}
