// The consumer's side: every key of another account that an account's resources depend on, in which state it is as far as
// the account may know, and the authorization that makes it so.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { providerAccountId } from '#base/provider.ts'
import type { Context } from '#iam/port.ts'
import type { KeyRight } from '#kms/port.ts'
import { authorizeOwn } from './access.ts'
import type { ledgerContract } from './contract.ts'
import { boundsView, unbounded } from './grants.ts'
import { pageOf, pageRequest } from './page.ts'
import type { LedgerParts } from './parts.ts'

type Query = Static<(typeof ledgerContract)['listForeignKeys']['query']>
type Answer = Static<(typeof ledgerContract)['listForeignKeys']['reply']>

/** Who asks keys on behalf of volumes. */
const blockStorage = 'server-protect'

interface Dependency {
  readonly keyCrn: string
  readonly ownerAccountId: string
  resourceCount: number
  since: number
  readonly services: Set<string>
  readonly versionIds: Set<string>
}

export type ForeignKeys = ReturnType<typeof makeForeignKeys>

export function makeForeignKeys({ iam, authorizations, kms, vpc }: LedgerParts) {
  /** Volumes know their key also when a forced deletion has taken their registration; other services have that alone. */
  async function dependenciesOf(accountId: string): Promise<readonly Dependency[]> {
    const found = new Map<string, Dependency>()
    for (const { keyCrn, resourceCount, since, versionIds } of await vpc.keys({ accountId })) {
      const ownerAccountId = ownerOf(keyCrn)
      if (ownerAccountId === accountId || ownerAccountId === providerAccountId) continue
      const services = new Set([blockStorage])
      found.set(keyCrn, { keyCrn, ownerAccountId, resourceCount, since, services, versionIds: new Set(versionIds) })
    }
    for (const { keyCrn, ownerAccountId, serviceName, resourceCount, since } of await kms.foreignUses(accountId)) {
      const known = found.get(keyCrn)
      if (!known) {
        const services = new Set([serviceName])
        found.set(keyCrn, { keyCrn, ownerAccountId, resourceCount, since, services, versionIds: new Set() })
        continue
      }
      if (serviceName !== blockStorage) known.resourceCount += resourceCount
      known.since = Math.min(known.since, since)
      known.services.add(serviceName)
    }
    return [...found.values()].toSorted((a, b) => (a.keyCrn < b.keyCrn ? -1 : 1))
  }

  async function view(dependency: Dependency, accountId: string): Promise<Answer['foreign_keys'][number]> {
    const { keyCrn, ownerAccountId, resourceCount, since, versionIds } = dependency
    const services = [...dependency.services].toSorted()
    const rights = await kms.rights(
      services.map((serviceName) => ({ keyCrn, as: { kind: 'service', serviceName, accountId } })),
    )
    const best = rights.find((right) => right.standing !== 'unauthorized')
    return {
      key_crn: keyCrn,
      owner_account_id: ownerAccountId,
      state: best?.standing ?? 'unauthorized',
      key_version_ids: [...versionIds].toSorted(),
      newest_version_id: best?.newestVersionId ?? null,
      expires_at: best?.expiresAt === null || best === undefined ? null : rfc3339(best.expiresAt),
      resources: resourceCount,
      since: rfc3339(since),
      quarantine: quarantineView(rights),
      authorizations: await Promise.all(
        services.map((service, at) => authorizationView(service, ownerAccountId, rights[at])),
      ),
    }
  }

  /** One that has ended by its bounds is still there to be seen: the account is party to it. */
  async function authorizationView(service: string, ownerAccountId: string, right: KeyRight | undefined) {
    const policyId = right?.policyId ?? right?.boundedBy?.policyId ?? null
    const policy = policyId === null ? null : await authorizations.find(policyId)
    const bounded = policy && (await authorizations.bounds(policy.policyId))
    return {
      service,
      policy_id: policy?.policyId ?? null,
      since: policy ? rfc3339(policy.createdAt) : null,
      ends_at: policy && policy.endsAt !== null ? rfc3339(policy.endsAt) : null,
      ...(bounded ? await boundsView(kms, bounded, ownerAccountId) : unbounded),
    }
  }

  return {
    async list(context: Context, query: Query): Promise<Answer> {
      const grant = await authorizeOwn(iam, context, 'keyward.foreign-keys.list', query)
      const { accountId } = grant.target
      const request = pageRequest(query)
      const all = await dependenciesOf(accountId)
      const rest = all.filter(({ keyCrn }) => keyCrn > request.after).slice(0, request.limit + 1)
      const link = { context, path: '/keyward/v1/foreign_keys', query, place: (one: Dependency) => one.keyCrn }
      const { page, links } = pageOf(rest, request, link)
      return { ...links, foreign_keys: await Promise.all(page.map((one) => view(one, accountId))) }
    },
  }
}

/** What all services of the account have used of it. */
function quarantineView(rights: readonly KeyRight[]): Answer['foreign_keys'][number]['quarantine'] {
  const [first, ...more] = rights.flatMap(({ quarantine }) => quarantine ?? [])
  if (!first) return null
  const times = [first, ...more].flatMap(({ lastAt }) => lastAt ?? [])
  return {
    since: rfc3339(first.since),
    would_be_denied: [first, ...more].reduce((sum, { count }) => sum + count, 0),
    last: times.length === 0 ? null : { at: rfc3339(Math.max(...times)) },
  }
}

export const ownerOf = (keyCrn: string): string => parseCrn(keyCrn)?.accountId ?? ''
