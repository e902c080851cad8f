// Everything about access on the wire, as one service: one dialect, one document.

import type { Contract } from '#base/contract.ts'
import { accessSettingsContract } from './contract-access.ts'
import { groupContract } from './contract-groups.ts'
import { policyContractV2 } from './contract-policy-v2.ts'
import { policyContractV1 } from './contract-policy.ts'
import { roleContract } from './contract-roles.ts'

export const policyContract = {
  ...policyContractV1,
  ...policyContractV2,
  ...roleContract,
  ...groupContract,
  ...accessSettingsContract,
} as const satisfies Contract
