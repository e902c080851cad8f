// The ledger on the wire: Keyward's own. `id` of a key is an id or an alias, with the header Bluemix-Instance, or its CRN.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { certificateContract } from './contract-certificates.ts'
import { noticeContract } from './contract-notices.ts'
import { planContract } from './contract-plans.ts'
import { webhookContract } from './contract-webhooks.ts'
import { foreignKeys, grants, impact, impactBody, keyUses, ofAccount, pageQuery, proof, time } from './schemas.ts'

const useContract = {
  listKeyUses: {
    method: 'GET',
    path: '/keyward/v1/keys/{id}/uses',
    summary: 'List the resources of every account that lie under a key, now or at a past time',
    action: 'kms.registrations.listforkey',
    query: Type.Object({ ...pageQuery, at: Type.Optional(time) }),
    status: 200,
    reply: keyUses,
  },
  foreseeImpact: {
    method: 'POST',
    path: '/keyward/v1/keys/{id}/impact',
    summary: 'Foresee what an action on a key would do to the resources of every account, and what refuses it',
    action: 'kms.registrations.listforkey',
    query: Type.Object(pageQuery),
    body: impactBody,
    status: 200,
    reply: impact,
  },
  listForeignKeys: {
    method: 'GET',
    path: '/keyward/v1/foreign_keys',
    summary: "List the keys of other accounts that an account's resources depend on",
    action: 'keyward.foreign-keys.list',
    query: Type.Object({ ...ofAccount, ...pageQuery }),
    status: 200,
    reply: foreignKeys,
  },
  listGrants: {
    method: 'GET',
    path: '/keyward/v1/grants',
    summary: "List an account's bounded authorizations: what is used of each, and what has passed its bounds",
    action: 'keyward.grants.list',
    query: Type.Object({ ...ofAccount, ...pageQuery }),
    status: 200,
    reply: grants,
  },
  getLatestProof: {
    method: 'GET',
    path: '/keyward/v1/proofs/latest',
    summary: 'Read when ledger, registrations, resources and images were last proven to be one',
    action: 'keyward.proofs.read',
    query: Type.Object(ofAccount),
    status: 200,
    reply: proof,
  },
  createProof: {
    method: 'POST',
    path: '/keyward/v1/proofs',
    summary: 'Prove it now',
    action: 'keyward.proofs.create',
    query: Type.Object(ofAccount),
    status: 201,
    reply: proof,
  },
} as const satisfies Contract

export const ledgerContract = {
  ...useContract,
  ...noticeContract,
  ...webhookContract,
  ...planContract,
  ...certificateContract,
} as const satisfies Contract
