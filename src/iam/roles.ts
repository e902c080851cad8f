// The roles that policies may name. Order matters: within a plane, the first role that has an action is the lowest, and
// that is the one a refusal suggests.

import type { RoleActions } from './decide.ts'
import {
  cryptoUnitActions,
  delegatorActions,
  identityActions,
  keyManagerActions,
  objectStorageActions,
  platformActions,
  serviceActions,
  vpcSharingActions,
} from './role-actions.ts'

export type PolicyType = 'access' | 'authorization'

export interface Role {
  readonly crn: string
  readonly displayName: string
  readonly description: string
  readonly plane: 'platform' | 'service'
  /** The one service that knows the role; null for roles of every service. */
  readonly serviceName: string | null
  readonly policyTypes: readonly PolicyType[]
  readonly actions: readonly string[]
}

const everyType: readonly PolicyType[] = ['access', 'authorization']
const platformCrn = (name: string): string => `crn:v1:bluemix:public:iam::::role:${name}`
const serviceCrn = (service: string, name: string): string => `crn:v1:bluemix:public:${service}::::serviceRole:${name}`

const platform = (name: string, description: string, actions: readonly string[]): Role => ({
  crn: platformCrn(name),
  displayName: name,
  description,
  plane: 'platform',
  serviceName: null,
  policyTypes: everyType,
  actions,
})

const service = (name: string, description: string, actions: readonly string[]): Role => ({
  ...platform(name, description, actions),
  crn: serviceCrn('iam', name),
  plane: 'service',
})

/** A role that one service has: by what its CRN ends in, and what people call it. */
const special = (
  serviceName: string,
  [name, displayName]: readonly [name: string, displayName: string],
  description: string,
  actions: readonly string[],
): Role => ({
  ...service(displayName, description, actions),
  crn: serviceCrn(serviceName, name),
  serviceName,
})

export const administratorRole = platformCrn('Administrator')
export const managerRole = serviceCrn('iam', 'Manager')
export const delegatorRole = platformCrn('AuthorizationDelegator')
/** The name that older configurations use for the role; IBM Cloud IAM has shown both. */
export const delegatorOldName = 'AuthorizationDelegator'

const kms = keyManagerActions('kms')
const hpcs = keyManagerActions('hs-crypto')
const purge = 'Purges deleted keys before their time'
const readPlus = 'Reads within the key manager, also the material of standard keys'
const kmip = 'Manages adapters for KMIP clients'

export const roles: readonly Role[] = [
  platform('Viewer', 'Sees instances and their settings and changes nothing', platformActions.viewer),
  platform('Operator', 'Sees instances and operates them', platformActions.operator),
  platform('Editor', 'Creates, changes and deletes instances', platformActions.editor),
  platform('Administrator', 'Does everything an Editor does and gives access to others', platformActions.administrator),
  service('Reader', 'Reads within a service; for keys: lists, wraps and unwraps', serviceActions.reader),
  special('kms', ['ReaderPlus', 'ReaderPlus'], readPlus, kms.readerPlus),
  special('hs-crypto', ['ReaderPlus', 'Reader Plus'], readPlus, hpcs.readerPlus),
  service('Writer', 'Does what a Reader does and creates and changes things', serviceActions.writer),
  service('Manager', 'Does what a Writer does and the privileged actions of a service', serviceActions.manager),
  special('kms', ['KeyPurge', 'KeyPurge'], purge, kms.keyPurge),
  special('kms', ['KmipAdapterManager', 'KmipAdapterManager'], kmip, kms.kmipAdapterManager),
  special('hs-crypto', ['KeyPurge', 'KMS Key Purge Role'], purge, hpcs.keyPurge),
  special('hs-crypto', ['KmipAdapterManager', 'Kmip Adapter Manager'], kmip, hpcs.kmipAdapterManager),
  special('hs-crypto', ['VMWareKmipManager', 'VMWare KMIP Manager'], kmip, hpcs.kmipAdapterManager),
  special(
    'hs-crypto',
    ['CertificateManager', 'Certificate Manager'],
    'Manages certificates of crypto units',
    cryptoUnitActions.certificateManager,
  ),
  special(
    'hs-crypto',
    ['VaultAdministrator', 'Vault Administrator'],
    'Manages vaults of keys',
    cryptoUnitActions.vaultAdministrator,
  ),
  special(
    'hs-crypto',
    ['KeyCustodianCreator', 'Key Custodian - Creator'],
    'Creates keys in vaults',
    cryptoUnitActions.keyCustodianCreator,
  ),
  special(
    'hs-crypto',
    ['KeyCustodianDeployer', 'Key Custodian - Deployer'],
    'Deploys keys of vaults to key stores',
    cryptoUnitActions.keyCustodianDeployer,
  ),
  ...(['kms', 'hs-crypto'] as const).map((name) =>
    special(
      name,
      ['ServiceConfigurationReader', 'Service Configuration Reader'],
      'Reads the configuration of instances and nothing in them',
      keyManagerActions(name).configurationReader,
    ),
  ),
  special(
    'cloud-object-storage',
    ['ContentReader', 'Content Reader'],
    'Lists and reads objects',
    objectStorageActions.contentReader,
  ),
  special(
    'cloud-object-storage',
    ['ObjectReader', 'Object Reader'],
    'Reads objects, and cannot list them',
    objectStorageActions.objectReader,
  ),
  special(
    'cloud-object-storage',
    ['ObjectWriter', 'Object Writer'],
    'Writes objects, and cannot list or read them',
    objectStorageActions.objectWriter,
  ),
  special(
    'is',
    ['SnapshotRemoteAccountRestorer', 'SnapshotRemoteAccountRestorer'],
    'Restores volumes of its own account from snapshots of this one',
    vpcSharingActions.snapshotRestorer,
  ),
  special(
    'is',
    ['VolumeRemoteAccountSnapshotRestorer', 'VolumeRemoteAccountSnapshotRestorer'],
    'Creates volumes of this account from snapshots of others',
    vpcSharingActions.volumeRestorer,
  ),
  special('is', ['ShareBroker', 'ShareBroker'], 'Mounts file shares of this account', vpcSharingActions.shareBroker),
  special(
    'iam-identity',
    ['ServiceIdCreator', 'Service ID creator'],
    'Creates service ids',
    identityActions.serviceIdCreator,
  ),
  special(
    'iam-identity',
    ['UserApiKeyCreator', 'User API key creator'],
    'Creates API keys',
    identityActions.userApiKeyCreator,
  ),
  {
    ...platform(
      'AuthorizationDelegator',
      'Lets the source of an authorization hand its access on to the services it depends on',
      delegatorActions,
    ),
    displayName: 'Authorization Delegator',
    policyTypes: ['authorization'],
  },
]

export const rolesByCrn: ReadonlyMap<string, Role> = new Map(roles.map((role) => [role.crn, role]))

export const roleActions: RoleActions = new Map(roles.map((role) => [role.crn, new Set(role.actions)]))

/** The lowest role that has the action and may stand in such a policy, or null when there is none. */
export const lowestRole = (type: PolicyType, action: string): Role | null =>
  roles.find((role) => role.policyTypes.includes(type) && role.actions.includes(action)) ?? null

/** Actions that some level has; the others are privileges beside the levels, such as purging. */
export const levelActions: ReadonlySet<string> = new Set(
  [...Object.values(platformActions), ...Object.values(serviceActions)].flat(),
)

/** What the highest service level holds of one service; empty for services that have no such levels. */
export const managerActionsOf = (prefix: string): readonly string[] =>
  serviceActions.manager.filter((action) => action.startsWith(`${prefix}.`))
