// Any resource by its CRN: a link where it is one of this account's, else what it is and its id.

import { Link } from 'react-router'
import { parseCrn } from '#base/crn.ts'
import { useSession } from '../api/use-api.ts'
import { serviceNames } from '#client/authorization.ts'
import { shortId } from '#client/words.ts'

const pages: Readonly<Record<string, string>> = {
  volume: '/volumes',
  snapshot: '/snapshots',
  image: '/images',
  instance: '/instances',
}

export function ResourceName({ crn }: { readonly crn: string }) {
  const { accountId } = useSession()
  const parts = parseCrn(crn)
  if (!parts) return <code>{crn}</code>
  const page = pages[parts.resourceType]
  const text = parts.resourceType
    ? `${parts.resourceType} ${shortId(parts.resource)}`
    : `${serviceNames[parts.serviceName] ?? parts.serviceName} ${shortId(parts.serviceInstance)}`
  return parts.accountId === accountId && page ? (
    <Link to={`${page}/${parts.resource}`} title={crn}>
      {text}
    </Link>
  ) : (
    <span title={crn}>{text}</span>
  )
}
