// The wire of the key manager, as data. Source: Key Protect API v2. What is not here is answered "not found" by the edge.
// What stands around keys (rings, aliases, policies, import tokens, what services say) is in contract-settings.ts.

import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { revocationContract } from './contract-revocations.ts'
import { kmipOperations, settingOperations } from './contract-settings.ts'
import {
  anyActionBody,
  keyCollection,
  keyFilter,
  newKeyCollection,
  page,
  patchKeyBody,
  registrationCollection,
  rewrapReply,
  rotateBody,
  unwrapBody,
  unwrapReply,
  versionCollection,
  wrapBody,
  wrapReply,
} from './schemas.ts'
import { ofAccount, quarantineReply, safetyBody, safetyReply } from './schemas-safety.ts'
import { rotationReply } from './schemas-settings.ts'

/** Keyward's own: every rule of the action, and nothing of its effect. What it would mean is `POST /keyward/v1/keys/{id}/impact`. */
const dryRun = { dry_run: Type.Optional(Type.Boolean()) } as const

const totalCount = { totalCount: Type.Optional(Type.Boolean()) } as const

const registrationQuery = Type.Object({
  ...page,
  ...totalCount,
  preventKeyDeletion: Type.Optional(Type.Boolean()),
  urlEncodedResourceCRNQuery: Type.Optional(Type.String()),
})

/** A deletion answers with the key only where `Prefer: return=representation` asks for it, else 204 without a body. */
const maybeKeyCollection = Type.Unsafe<Static<typeof keyCollection> | undefined>(keyCollection)

/** As above, for the old form of the actions, each of which answers what its own operation answers. */
const anyActionReply = Type.Unsafe<
  | Static<typeof wrapReply>
  | Static<typeof unwrapReply>
  | Static<typeof rewrapReply>
  | Static<typeof keyCollection>
  | undefined
>(Type.Union([rewrapReply, unwrapReply, wrapReply, keyCollection]))

/** What of a restoration's body older clients still send is not needed any more, and is not looked at. */
const anything = Type.Unknown()

export const kmsContract = {
  countKeys: {
    method: 'HEAD',
    path: '/api/v2/keys',
    summary: 'Count keys',
    action: 'kms.secrets.list',
    query: Type.Object(keyFilter),
    status: 200,
  },
  listKeys: {
    method: 'GET',
    path: '/api/v2/keys',
    summary: 'List keys',
    action: 'kms.secrets.list',
    query: Type.Object({ ...page, ...totalCount, ...keyFilter }),
    status: 200,
    reply: keyCollection,
  },
  createKey: {
    method: 'POST',
    path: '/api/v2/keys',
    summary: 'Create or import a key',
    action: 'kms.secrets.create',
    body: newKeyCollection,
    status: 201,
    reply: keyCollection,
  },
  createKeyWithPolicyOverrides: {
    method: 'POST',
    path: '/api/v2/keys_with_policy_overrides',
    summary: 'Create or import a key with policies of its own',
    action: 'kms.secrets-with-policy-overrides.create',
    body: newKeyCollection,
    status: 201,
    reply: keyCollection,
  },
  listInstanceRegistrations: {
    method: 'GET',
    path: '/api/v2/keys/registrations',
    summary: 'List registrations on any key',
    action: 'kms.registrations.list',
    query: registrationQuery,
    status: 200,
    reply: registrationCollection,
  },
  getKey: {
    method: 'GET',
    path: '/api/v2/keys/{id}',
    summary: 'Retrieve a key, with the material of a standard key',
    action: 'kms.secrets.read',
    status: 200,
    reply: keyCollection,
  },
  actOnKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}',
    summary: 'Do what `action` says; the old form of the operations under actions/',
    action: 'kms.secrets.wrap',
    query: Type.Object({ action: Type.String() }),
    body: anyActionBody,
    bodyOptional: true,
    status: 200,
    reply: anyActionReply,
  },
  updateKey: {
    method: 'PATCH',
    path: '/api/v2/keys/{id}',
    summary: 'Move a key to another ring',
    action: 'kms.secrets.patch',
    body: patchKeyBody,
    status: 200,
    reply: keyCollection,
  },
  deleteKey: {
    method: 'DELETE',
    path: '/api/v2/keys/{id}',
    summary: 'Delete a key',
    action: 'kms.secrets.delete',
    query: Type.Object({ force: Type.Optional(Type.Boolean()), ...dryRun }),
    status: 200,
    reply: maybeKeyCollection,
  },
  restoreKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/restore',
    summary: 'Take back the deletion of a key',
    action: 'kms.secrets.restore',
    body: anything,
    bodyOptional: true,
    status: 201,
    reply: maybeKeyCollection,
  },
  purgeKey: {
    method: 'DELETE',
    path: '/api/v2/keys/{id}/purge',
    summary: 'Destroy a deleted key for good',
    action: 'kms.secrets.purge',
    status: 200,
    reply: maybeKeyCollection,
  },
  getKeyMetadata: {
    method: 'GET',
    path: '/api/v2/keys/{id}/metadata',
    summary: 'Retrieve what is known of a key, without material',
    action: 'kms.secrets.readmetadata',
    status: 200,
    reply: keyCollection,
  },
  listKeyVersions: {
    method: 'GET',
    path: '/api/v2/keys/{id}/versions',
    summary: 'List the versions of a root key',
    action: 'kms.secrets.listkeyversions',
    query: Type.Object({ ...page, ...totalCount, allKeyStates: Type.Optional(Type.Boolean()) }),
    status: 200,
    reply: versionCollection,
  },
  listKeyRegistrations: {
    method: 'GET',
    path: '/api/v2/keys/{id}/registrations',
    summary: 'List registrations on a key',
    action: 'kms.registrations.listforkey',
    query: registrationQuery,
    status: 200,
    reply: registrationCollection,
  },
  wrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/wrap',
    summary: 'Wrap a data key, or a fresh one where none is given',
    action: 'kms.secrets.wrap',
    body: wrapBody,
    bodyOptional: true,
    status: 200,
    reply: wrapReply,
  },
  unwrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/unwrap',
    summary: 'Unwrap a data key',
    action: 'kms.secrets.unwrap',
    body: unwrapBody,
    bodyOptional: true,
    status: 200,
    reply: unwrapReply,
  },
  rewrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/rewrap',
    summary: 'Wrap a wrapped data key with the newest version',
    action: 'kms.secrets.rewrap',
    body: unwrapBody,
    bodyOptional: true,
    status: 200,
    reply: rewrapReply,
  },
  rotateKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/rotate',
    summary: 'Add a version to a root key',
    action: 'kms.secrets.rotate',
    query: Type.Object(dryRun),
    body: rotateBody,
    bodyOptional: true,
    status: 204,
  },
  disableKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/disable',
    summary: 'Suspend a root key and stop what runs under it',
    action: 'kms.secrets.disable',
    query: Type.Object(dryRun),
    status: 204,
  },
  enableKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/enable',
    summary: 'Make a suspended root key active again',
    action: 'kms.secrets.enable',
    status: 204,
  },
  setKeyForDeletion: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/setKeyForDeletion',
    summary: 'Say the first of two words for the deletion of a key',
    action: 'kms.secrets.setkeyfordeletion',
    status: 204,
  },
  unsetKeyForDeletion: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/unsetKeyForDeletion',
    summary: 'Take the first word back',
    action: 'kms.secrets.unsetkeyfordeletion',
    status: 204,
  },
  syncKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/sync',
    summary: 'Ask the services that use a key to read again what it is',
    action: 'kms.secrets.sync',
    status: 204,
  },
  ...settingOperations,
  ...kmipOperations,
} as const satisfies Contract

/** Keyward's own. `id` is an id, an alias, or the CRN of the key, which names its instance too. */
export const ownContract = {
  getKeyRotation: {
    method: 'GET',
    path: '/keyward/v1/keys/{id}/rotation',
    summary: 'See how far the resources of a key have come with its newest version',
    action: 'kms.registrations.listforkey',
    status: 200,
    reply: rotationReply,
  },
  quarantineKey: {
    method: 'POST',
    path: '/keyward/v1/keys/{id}/quarantine',
    summary: 'Count from now on what a disabled key would refuse, and refuse nothing',
    action: 'kms.secrets.disable',
    status: 200,
    reply: quarantineReply,
  },
  getKeyQuarantine: {
    method: 'GET',
    path: '/keyward/v1/keys/{id}/quarantine',
    summary: 'See who has used a key since it is in quarantine, and how often',
    action: 'kms.registrations.listforkey',
    status: 200,
    reply: quarantineReply,
  },
  liftKeyQuarantine: {
    method: 'DELETE',
    path: '/keyward/v1/keys/{id}/quarantine',
    summary: 'Take a key out of quarantine, and forget what was counted',
    action: 'kms.secrets.enable',
    status: 204,
  },
  getKeySafety: {
    method: 'GET',
    path: '/keyward/v1/key_safety',
    summary: 'See whether root keys have to be in quarantine before they are deleted',
    action: 'keyward.key-safety.read',
    query: ofAccount,
    status: 200,
    reply: safetyReply,
  },
  replaceKeySafety: {
    method: 'PUT',
    path: '/keyward/v1/key_safety',
    summary: 'Say whether root keys have to be in quarantine before they are deleted, and for how long',
    action: 'keyward.key-safety.write',
    query: ofAccount,
    body: safetyBody,
    status: 200,
    reply: safetyReply,
  },
  getMetrics: {
    method: 'GET',
    path: '/keyward/v1/metrics',
    summary: "Read the metrics of an account's instances whose policy asks for them, as Prometheus does",
    action: 'keyward.metrics.read',
    query: Type.Object({ account_id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }),
    status: 200,
    replyType: 'text',
    reply: Type.String(),
  },
  ...revocationContract,
} as const satisfies Contract

/** Keyward's own, for the operator: whoever restricted an instance to addresses that nobody has needs somebody else. */
export const kmsOperatorContract = {
  liftNetworkPolicies: {
    method: 'POST',
    path: '/keyward/v1/operator/kms_instances/{instance_id}/lift_network_policies',
    summary: 'Disable the policies allowedNetwork and allowedIP of an instance',
    action: 'keyward.kms.lift-network-policies',
    status: 204,
  },
} as const satisfies Contract
