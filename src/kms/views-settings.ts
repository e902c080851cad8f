// Domain to wire: what stands around keys, as the API shows it. Source: Key Protect API v2, "Key rings", "Key aliases",
// "Policies", "Import tokens".

import type { Static } from 'typebox'
import { rfc3339Seconds } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import { envelope } from './envelope.ts'
import type { ShownImportToken } from './import-tokens.ts'
import type { ShownInstancePolicy } from './instance-policies.ts'
import { crnOf } from './key.ts'
import type { Instance } from './key.ts'
import type { ShownPolicies } from './key-policies.ts'
import type { ShownKeyRing } from './key-rings.ts'
import type { Listed } from './keys.ts'
import type { Stamp } from './policy.ts'
import type { RotationReport } from './rotation-progress.ts'
import { mediaType } from './schemas.ts'
import type {
  aliasCollection,
  allowedIpPortReply,
  importTokenMade,
  importTokenShown,
  instancePolicyCollection,
  keyPolicyCollection,
  keyRingCollection,
  rotationReply,
} from './schemas-settings.ts'
import type { ImportTokenRow } from './tables-instance.ts'
import type { AliasRow } from './tables-ring.ts'

export const oneAlias = ({ keyId, alias, createdAt, createdBy }: AliasRow): Static<typeof aliasCollection> =>
  envelope('alias', [{ keyId, alias, createdBy, creationDate: rfc3339Seconds(createdAt) }])

export const keyRingPage = ({ items, totalCount }: Listed<ShownKeyRing>): Static<typeof keyRingCollection> =>
  envelope(
    'key_ring',
    items.map(({ id, made }) => ({
      id,
      ...(made && { creationDate: rfc3339Seconds(made.at), createdBy: made.by }),
    })),
    totalCount,
  )

export const importTokenMadeView = (token: ImportTokenRow): Static<typeof importTokenMade> => ({
  creationDate: rfc3339Seconds(token.createdAt),
  expirationDate: rfc3339Seconds(token.expiresAt),
  maxAllowedRetrievals: token.retrievalsMax,
  remainingRetrievals: token.retrievalsLeft,
})

export const importTokenView = ({ token, nonce }: ShownImportToken): Static<typeof importTokenShown> => ({
  ...importTokenMadeView(token),
  payload: Buffer.from(token.publicKey).toString('base64'),
  nonce,
})

/** Each policy is a resource of its own, whether or not they were set together. */
export function keyPolicyPage({ key, policies }: ShownPolicies): Static<typeof keyPolicyCollection> {
  const { rotation, dualAuthDelete } = policies
  const common = (policy: Stamp & { readonly id: string }) => ({
    type: mediaType('policy'),
    id: policy.id,
    crn: policyCrn(key.instance, policy.id),
    ...stampView(policy),
    lastUpdateDate: rfc3339Seconds(policy.updatedAt),
  })
  return envelope('policy', [
    ...(rotation
      ? [{ ...common(rotation), rotation: { enabled: rotation.enabled, interval_month: rotation.months } }]
      : []),
    ...(dualAuthDelete ? [{ ...common(dualAuthDelete), dualAuthDelete: { enabled: dualAuthDelete.enabled } }] : []),
  ])
}

const policyCrn = (instance: Instance, id: string): string =>
  formatCrn({
    serviceName: instance.serviceName,
    location: instance.region,
    accountId: instance.accountId,
    serviceInstance: instance.id,
    resourceType: 'policy',
    resource: id,
  })

const stampView = ({ createdAt, createdBy, updatedBy }: Stamp) => ({
  creationDate: rfc3339Seconds(createdAt),
  createdBy,
  updatedBy,
})

export const instancePolicyPage = (policies: readonly ShownInstancePolicy[]): Static<typeof instancePolicyCollection> =>
  envelope(
    'policy',
    policies.map(({ type, enabled, attributes: { allowed_ip, ...attributes }, ...stamp }) => ({
      ...stampView(stamp),
      lastUpdated: rfc3339Seconds(stamp.updatedAt),
      policy_type: type,
      policy_data: { enabled, attributes: { ...attributes, ...(allowed_ip && { allowed_ip: [...allowed_ip] }) } },
    })),
  )

export const allowedIpPortView = (port: number | null): Static<typeof allowedIpPortReply> =>
  envelope('allowed_ip_metadata', port === null ? [] : [{ private_endpoint_port: port }])

export function rotationView(report: RotationReport): Static<typeof rotationReply> {
  const { key, newest, versions, registrations, remaining, pace } = report
  return {
    key_id: key.id,
    key_crn: crnOf(key),
    newest_version: { id: newest.id, creation_date: rfc3339Seconds(newest.createdAt) },
    versions: versions.map(({ id, createdAt, registrations }) => ({
      id,
      creation_date: rfc3339Seconds(createdAt),
      registrations,
    })),
    registrations,
    remaining,
    progress: registrations === 0 ? 1 : (registrations - remaining) / registrations,
    converged: remaining === 0,
    ...(pace && { rewraps_per_second: pace.perSecond, estimated_completion: rfc3339Seconds(pace.endsAt) }),
  }
}
