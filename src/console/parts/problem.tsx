// A refusal as people read it: the server's sentence, which field, and where something is missing, in whose account and how
// its owner mends it.

import { InlineNotification } from '@carbon/react'
import type { Explanation } from '#base/fault.ts'
import type { Refusal } from '#client/refusal.ts'
import { useSession } from '../api/use-api.ts'
import { CopyBlock } from './copy.tsx'

export function Problem({
  refusal,
  title = 'This was refused',
}: {
  readonly refusal: Refusal
  readonly title?: string
}) {
  const { message, explanation, field, code, requestId, status } = refusal
  return (
    <div className="k-problem">
      <InlineNotification
        kind="error"
        role="alert"
        lowContrast
        hideCloseButton
        title={status === 0 ? 'No answer' : title}
        subtitle={message}
      />
      {explanation && <Explained explanation={explanation} />}
      <p className="k-small">
        {code}
        {field && <> · field {field}</>}
        {requestId && <> · request {requestId}</>}
      </p>
    </div>
  )
}

export function Explained({ explanation }: { readonly explanation: Explanation }) {
  const { accountId } = useSession()
  const { account, action, setting, nearestPolicy, fix } = explanation
  const whose = account === accountId ? 'This account' : `Account ${account}`
  return (
    <div className="k-explained">
      <p>
        {setting
          ? `${whose} has a setting in the way: ${setting}.`
          : `${whose} has no policy that permits ${action}. This is the least that would do:`}
      </p>
      {fix && (
        <>
          <CopyBlock label="curl command" text={fix.curl} />
          <details>
            <summary>As Terraform configuration</summary>
            <CopyBlock label="Terraform configuration" text={fix.terraform} />
          </details>
        </>
      )}
      {nearestPolicy && (
        <p>
          The policy that came nearest is <code>{nearestPolicy.id}</code>; it differs in{' '}
          {nearestPolicy.differs.map(({ attribute, in: where }) => attribute ?? where).join(', ')}.
        </p>
      )}
    </div>
  )
}
