// Whether the account that owns a key lets this account's block storage use it: asked of the API that explains decisions,
// and where the answer is no, what its owner has to do, as a message to send.

import { InlineLoading, InlineNotification } from '@carbon/react'
import type { Explanation } from '#base/fault.ts'
import type { Session } from '../api/sessions.ts'
import type { Refusal } from '#client/refusal.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { CopyMessage } from './copy.tsx'
import { keyOfCrn } from '#client/crn-problem.ts'
import { leaveQuestions } from '#client/leave.ts'
import { Explained, Problem } from './problem.tsx'

export interface Leave {
  readonly state: 'none' | 'asking' | 'permitted' | 'denied' | 'failed'
  readonly crn: string
  readonly message?: string | undefined
  readonly explanation?: Explanation | undefined
  readonly refusal?: Refusal | undefined
}

export function useKeyLeave(text: string): Leave {
  const session = useSession()
  const crn = text.trim()
  const key = keyOfCrn(crn)
  const [toWrap, toRegister] = leaveQuestions(key, session.accountId)
  const wrap = useApi('keyward', 'explainDecision', { body: toWrap }, { when: key !== null })
  const register = useApi('keyward', 'explainDecision', { body: toRegister }, { when: key !== null })
  if (!key) return { state: 'none', crn }
  const refusal = wrap.error ?? register.error
  if (refusal) return { state: 'failed', crn, refusal }
  if (!wrap.data || !register.data) return { state: 'asking', crn }
  const denied = [wrap.data, register.data].find((answer) => answer.decision === 'Deny')
  if (!denied) return { state: 'permitted', crn }
  // The reply's explanation is that of src/base/fault.ts, which the contract leaves open.
  const explanation = denied.explanation as unknown as Explanation | undefined
  return { state: 'denied', crn, message: denied.message, explanation }
}

export function KeyLeave({ leave }: { readonly leave: Leave }) {
  const session = useSession()
  const owner = keyOfCrn(leave.crn)?.accountId
  const whose = owner === session.accountId ? 'this account' : `account ${owner ?? ''}`
  switch (leave.state) {
    case 'none':
      return null
    case 'asking':
      return <InlineLoading description={`Asking what ${whose} permits`} />
    case 'failed':
      return leave.refusal ? <Problem refusal={leave.refusal} title="The key’s owner could not be asked" /> : null
    case 'permitted':
      return (
        <InlineNotification
          kind="success"
          role="status"
          lowContrast
          hideCloseButton
          title="Authorized"
          subtitle={`${whose.charAt(0).toUpperCase()}${whose.slice(1)} lets this account’s block storage use the key.`}
        />
      )
    case 'denied':
      return (
        <div className="k-problem">
          <InlineNotification
            kind="warning"
            role="status"
            lowContrast
            hideCloseButton
            title="Not authorized yet"
            subtitle={`${whose.charAt(0).toUpperCase()}${whose.slice(1)} does not let this account’s block storage use the key.`}
          />
          {leave.explanation && <Explained explanation={leave.explanation} />}
          {leave.explanation && owner !== session.accountId && (
            <CopyMessage label="message to the key’s owner" text={messageTo(session, leave.crn, leave.explanation)} />
          )}
        </div>
      )
  }
}

const messageTo = (session: Session, crn: string, explanation: Explanation): string =>
  [
    `Hello, account ${session.accountId} would like to encrypt volumes with a root key of your account ${explanation.account}:`,
    '',
    crn,
    '',
    'Please authorize our block storage (server-protect) to use it. In the Keyward console: Authorizations, Let another',
    `account use a key, with our account id ${session.accountId}. Or by the API:`,
    '',
    explanation.fix?.curl ?? JSON.stringify(explanation.missingPolicy),
    '',
    'You can take it back at any time; our volumes stop when you do.',
  ].join('\n')
