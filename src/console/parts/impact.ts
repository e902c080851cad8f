// What stops when a key can no longer be used, counted from what is registered under it. Pure.

import { parseCrn } from '#base/crn.ts'

export const ofAccount = (crn: string): string => parseCrn(crn)?.accountId ?? ''

export interface Impact {
  readonly accountId: string
  readonly counts: readonly (readonly [type: string, count: number])[]
}

/** Per account, and in it per type of resource; the account with the most comes first. */
export function impactOf(resourceCrns: readonly string[]): readonly Impact[] {
  const byAccount = Map.groupBy(resourceCrns, ofAccount)
  return [...byAccount]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([accountId, crns]) => ({
      accountId,
      counts: [...Map.groupBy(crns, (crn) => parseCrn(crn)?.resourceType ?? 'resource')].map(
        ([type, all]) => [type, all.length] as const,
      ),
    }))
}
