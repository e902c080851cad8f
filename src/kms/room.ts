// Whether an authorization that is bounded in amounts has room for one more volume, or for a larger one. Asked in the
// transaction that registers it: two that are made at once see each other, and the bound holds. What counts is what lies
// there, under every key that the authorization covers and by whatever authorization it came: a bound that is set later, or
// on a policy made anew, counts what was there before.

import { parseCrn } from '#base/crn.ts'
import type { Allowance, Amounts, AuthorizationsPort, Grant, KeyPurpose, PassedBound, Target } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { keyTarget } from './access.ts'
import type { KeyPlace } from './key.ts'
import type { ResourceSize } from './port.ts'
import { selectVolumesByKey } from './tables-room.ts'

/** What is to lie under the key: its CRN says what it is, and its service how large. */
export interface Wanted extends ResourceSize {
  readonly resourceCrn: string
  /** The account whose resource it is. */
  readonly accountId: string
  /** Whether it is one more; a volume that grows is not. */
  readonly isNew: boolean
}

/** What bounds are held against, as far as CRN and service say it. */
export function purposeOf(resourceCrn: string, { profile, zone }: ResourceSize = {}): KeyPurpose {
  const crn = parseCrn(resourceCrn)
  const purpose = crn?.serviceName === 'is' ? purposes[crn.resourceType] : undefined
  return { ...(purpose && { purpose }), ...(profile !== undefined && { profile }), ...(zone !== undefined && { zone }) }
}

const purposes: Readonly<Record<string, KeyPurpose['purpose']>> = {
  volume: 'create-volume',
  snapshot: 'create-snapshot',
  image: 'create-image',
}

/** Throws Fault 'forbidden' where no authorization has room. */
export async function requireRoom(
  tx: Tx,
  authorizations: AuthorizationsPort,
  grant: Grant,
  wanted: Wanted,
): Promise<void> {
  const { allowances } = grant
  if (!allowances) return
  const { accountId } = wanted
  const others = await selectVolumesByKey(tx, {
    ownerAccountId: grant.target.accountId,
    accountId,
    exceptCrn: wanted.resourceCrn,
  })
  const lying = others.map(({ keyId, place, ...amounts }) => ({ key: keyTarget(place, keyId), ...amounts }))
  const tried = allowances.map((allowance) => lacksOf(allowance, lying, wanted))
  const [best] = tried.toSorted((a, b) => rank(a) - rank(b))
  const lack = best?.find(({ passed }) => passed.isEnforced) ?? best?.[0]
  const fault = lack ? authorizations.passBound(grant, lack.passed, lack.used) : null
  if (fault) throw fault
}

interface Lack {
  readonly passed: PassedBound
  readonly used: number | null
}

/** An authorization that lacks nothing before one that is only watched, and that before one that refuses. */
const rank = (lacks: readonly Lack[]): number =>
  lacks.length === 0 ? 0 : lacks.some(({ passed }) => passed.isEnforced) ? 2 : 1

interface Lying {
  readonly key: Target
  readonly volumes: number
  readonly capacityGb: number
}

const lacksOf = ({ noted, amounts }: Allowance, lying: readonly Lying[], wanted: Wanted): readonly Lack[] => [
  ...amounts.flatMap((amount) => lacksIn(amount, lying, wanted)),
  ...(noted ? [{ passed: noted, used: null }] : []),
]

function lacksIn(amounts: Amounts, lying: readonly Lying[], wanted: Wanted): readonly Lack[] {
  const { policyId, isEnforced, volumesMax, capacityGbMax } = amounts
  const covered = lying.filter(({ key }) => amounts.covers(key))
  const volumes = covered.reduce((sum, one) => sum + one.volumes, 0)
  const capacityGb = covered.reduce((sum, one) => sum + one.capacityGb, 0)
  const lack = (bound: PassedBound['bound'], limit: number, used: number): Lack => ({
    passed: { policyId, isEnforced, bound, limit },
    used,
  })
  // A size that nobody has told does not fit.
  const sizeGb = wanted.capacityGb ?? Infinity
  return [
    ...(wanted.isNew && volumesMax !== null && volumes + 1 > volumesMax
      ? [lack('max_volumes', volumesMax, volumes)]
      : []),
    ...(capacityGbMax !== null && capacityGb + sizeGb > capacityGbMax
      ? [lack('max_capacity_gb', capacityGbMax, capacityGb)]
      : []),
  ]
}

/** What lies under the keys that are covered, of one account. */
export const usedUnder = (
  lying: readonly {
    readonly keyId: string
    readonly place: KeyPlace
    readonly volumes: number
    readonly capacityGb: number
  }[],
  covers: (key: Target) => boolean,
): { readonly volumes: number; readonly capacityGb: number } => {
  const covered = lying.filter(({ keyId, place }) => covers(keyTarget(place, keyId)))
  return {
    volumes: covered.reduce((sum, one) => sum + one.volumes, 0),
    capacityGb: covered.reduce((sum, one) => sum + one.capacityGb, 0),
  }
}
