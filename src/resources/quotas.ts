// Quota definitions: clients look them up and compare ids; no group is limited by one. Source: Resource Manager API v2.

import { Fault } from '#base/fault.ts'

export interface Quota {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly instances: number
}

const paid: Quota = {
  id: 'a3d7b8d01e261c24677937c29ab33f3c',
  name: 'Pay-as-you-go Quota',
  type: 'PAYG',
  instances: 1000,
}
const trial: Quota = { id: '7ce89f4a-4381-4600-b814-3cd9a4f4bdf4', name: 'Trial Quota', type: 'TRIAL', instances: 100 }

export const quotas: readonly Quota[] = [paid, trial]

/** The one that every group here names. */
export const groupQuotaId = paid.id

export function quotaById(id: string): Quota {
  const quota = quotas.find((quota) => quota.id === id)
  if (!quota) throw new Fault('not_found', 'quota definition does not exist')
  return quota
}
