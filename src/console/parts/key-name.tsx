// A root key as it is shown where it is used: by its end, and whose it is. Of another account's key nothing else is known.

import { Link } from 'react-router'
import { Tag } from '@carbon/react'
import { parseCrn } from '#base/crn.ts'
import { useSession } from '../api/use-api.ts'
import { shortId } from '#client/words.ts'

export function KeyName({ crn }: { readonly crn: string | undefined }) {
  const { accountId } = useSession()
  if (crn === undefined) return <span className="k-quiet">provider’s key</span>
  const key = parseCrn(crn)
  if (!key) return <code title={crn}>{shortId(crn)}</code>
  if (key.accountId !== accountId) {
    return (
      <span className="k-key">
        <code title={crn}>{shortId(key.resource)}</code>
        <Tag type="purple" size="sm" title={`Account ${key.accountId}`}>
          of account {shortId(key.accountId)}
        </Tag>
      </span>
    )
  }
  return <Link to={`/keys/${key.serviceInstance}/${key.resource}`}>{shortId(key.resource)}</Link>
}
