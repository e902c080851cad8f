// The actions of each role, as lists. Sources: IBM Cloud IAM, "IAM roles and actions"; Key Protect, "Managing user
// access"; VPC, "Required permissions". Each level contains the one below it.

const of = (prefix: string, verbs: readonly string[]): string[] => verbs.map((verb) => `${prefix}.${verb}`)

// VPC: service `is`, platform roles ---------------------------------------------------------------------------------

const vpcNouns = [
  'is.image.image',
  'is.image.image-export-job',
  'is.instance.instance',
  'is.instance.volume-attachment',
  'is.key.key',
  'is.security-group.security-group',
  'is.snapshot-consistency-group.snapshot-consistency-group',
  'is.snapshot.snapshot',
  'is.subnet.subnet',
  'is.volume.volume',
  'is.virtual-network-interface.virtual-network-interface',
  'is.vpc.vpc',
]
const vpc = (...verbs: readonly string[]): string[] => vpcNouns.flatMap((noun) => of(noun, verbs))

// Account management --------------------------------------------------------------------------------------------------

const looking = ['retrieve', 'read', 'list']
const making = ['create', 'update', 'delete', 'lock', 'unlock']
const instances = (...verbs: readonly string[]): string[] => of('resource-controller.instance', verbs)
const credentials = (...verbs: readonly string[]): string[] => of('resource-controller.credential', verbs)
const groups = (...verbs: readonly string[]): string[] => of('resource-controller.group', verbs)
const accessGroups = (...verbs: readonly string[]): string[] => of('iam-groups.groups', verbs)
const members = (...verbs: readonly string[]): string[] => of('iam-groups.members', verbs)
const apiKeys = (...verbs: readonly string[]): string[] => of('iam-identity.apikey', verbs)
const serviceIds = (...verbs: readonly string[]): string[] => of('iam-identity.serviceid', verbs)
const profiles = (...verbs: readonly string[]): string[] => of('iam-identity.profile', verbs)
const customRoles = (...verbs: readonly string[]): string[] => of('iam.customRole', verbs)
const accessSettings = (...verbs: readonly string[]): string[] => of('iam-access-management.account-settings', verbs)
const tags = (...verbs: readonly string[]): string[] => of('global-search-tagging.tag', verbs)

const viewer = [
  ...instances(...looking),
  ...credentials(...looking),
  ...groups(...looking),
  'global-search-tagging.resource.read',
  'iam.policy.read',
  ...customRoles('read'),
  ...accessSettings('read'),
  ...accessGroups('read', 'list'),
  ...members('read'),
  ...apiKeys('list', 'get'),
  ...serviceIds('list', 'get'),
  ...profiles('list', 'get'),
  'iam-identity.account.get',
  ...vpc('read', 'list'),
]
const operator = [
  ...viewer,
  // IBM Cloud IAM, "IAM Identity service": an operator keeps the keys of service ids, an editor the service ids.
  ...apiKeys('create', 'update', 'delete', 'lock', 'unlock', 'disable', 'enable'),
  ...vpc('operate'),
]
const editor = [
  ...operator,
  ...instances(...making),
  ...credentials('create', 'update', 'delete'),
  ...groups(...making),
  ...accessGroups('create', 'update', 'delete'),
  ...members('add', 'remove'),
  ...serviceIds('create', 'update', 'delete', 'lock', 'unlock'),
  ...profiles('create', 'update', 'delete'),
  // IBM Cloud, "Working with tags": user tags are an editor's, the others an administrator's.
  ...tags('attach-user-tag', 'detach-user-tag', 'delete-user-tag'),
  ...vpc('create', 'update', 'delete'),
]
const administrator = [
  ...editor,
  // IBM Cloud, "Service credentials": who sees the secrets of one.
  ...credentials('retrieve_all'),
  ...tags('create-access-tag', 'delete-access-tag', 'attach-access-tag', 'detach-access-tag'),
  ...tags('delete-service-tag', 'attach-service-tag', 'detach-service-tag'),
  ...of('iam.policy', ['create', 'update', 'delete']),
  'iam.role.assign',
  ...customRoles('create', 'update', 'delete'),
  ...accessSettings('update'),
  'iam-identity.account.update',
]

export const platformActions = { viewer, operator, editor, administrator }

/** What the source of an authorization may hand on to the services it depends on. */
export const delegatorActions = of('iam.delegationPolicy', ['create', 'update'])

// Keys: Key Protect and Hyper Protect Crypto Services share names after their prefix -----------------------------------

const keyReader = [
  ...of('keyrings', ['list']),
  ...of('keyversions', ['list']),
  ...of('registrations', ['list', 'listforkey', 'create', 'write', 'merge', 'delete', 'deactivate']),
  ...of('secrets', ['list', 'readmetadata', 'listkeyversions', 'wrap', 'unwrap', 'rewrap', 'eventack']),
  'secrets-migration-intent.read',
]
const keyReaderPlus = [...keyReader, 'secrets.read']
const keyWriter = [
  ...keyReaderPlus,
  ...of('importtoken', ['create', 'read']),
  ...of('keyrings', ['create']),
  ...of('secrets', [
    'create',
    'rotate',
    'setkeyfordeletion',
    'unsetkeyfordeletion',
    'sync',
    'createalias',
    'deletealias',
  ]),
]
const keyManager = [
  ...keyWriter,
  ...of('instance', ['readallowedipport', 'readipwhitelistport']),
  ...of('instancepolicies', ['read', 'write']),
  ...of('keyrings', ['delete', 'patch']),
  ...of('kmip-management', ['create', 'list', 'read', 'delete']),
  ...of('policies', ['read', 'write']),
  ...of('secrets', ['delete', 'restore', 'enable', 'disable', 'patch']),
  'secrets-with-policy-overrides.create',
  ...of('secrets-migration-intent', ['create', 'delete']),
]

const keys = (actions: readonly string[]): string[] => [...of('kms', actions), ...of('hs-crypto', actions)]

/** IBM Cloud Object Storage, "Identity and Access Management roles": what each role may do with buckets and objects. */
const objects = (...verbs: readonly string[]): string[] => of('cloud-object-storage.object', verbs)
const buckets = (...verbs: readonly string[]): string[] => of('cloud-object-storage.bucket', verbs)

const objectReader = objects('get', 'get_version', 'head', 'head_version')
const objectWriter = objects(
  'put',
  'post',
  'copy',
  'copy_part',
  'post_initiate_upload',
  'put_part',
  'post_complete_upload',
  'post_md',
)
const contentReader = [...objectReader, ...buckets('get', 'head', 'get_versions')]
const storageReader = [
  ...contentReader,
  ...objects('copy_get', 'copy_part_get', 'get_acl', 'get_tagging'),
  ...buckets('get_uploads', 'get_location', 'get_cors', 'get_lifecycle', 'list_crk_id'),
  'cloud-object-storage.account.get_account_buckets',
]
const storageWriter = [
  ...storageReader,
  ...objectWriter,
  ...objects('delete', 'delete_version', 'post_multi_delete', 'delete_upload'),
  ...objects('put_tagging', 'get_uploads', 'restore'),
  ...buckets('put_bucket', 'post_bucket', 'delete_bucket'),
]
const storageManager = [
  ...storageWriter,
  ...buckets('put_cors', 'delete_cors', 'put_lifecycle', 'put_acl', 'get_acl', 'put_firewall', 'get_firewall'),
  ...objects('put_acl', 'put_legal_hold', 'put_retention'),
]

export const objectStorageActions = { objectReader, objectWriter, contentReader }

/** Keyward's own service: what an account sees of itself and of the keys that it depends on, and what it says to that. */
const ownReader = of('keyward', [
  'audit.read',
  'destroy-certificates.read',
  'foreign-keys.list',
  'grants.list',
  'key-safety.read',
  'metrics.read',
  'notices.read',
  'proofs.read',
  'revocations.read',
  'webhooks.read',
])
const ownWriter = [...ownReader, ...of('keyward', ['notices.acknowledge', 'proofs.create'])]
const ownManager = [...ownWriter, ...of('keyward', ['key-safety.write', 'webhooks.write'])]

export const serviceActions = {
  reader: [...keys(keyReader), ...storageReader, ...ownReader],
  writer: [...keys(keyWriter), ...storageWriter, ...ownWriter],
  manager: [...keys(keyManager), ...storageManager, ...ownManager],
}

/** Roles beside the levels of a key manager, for Key Protect (`kms`) and Hyper Protect Crypto Services alike. */
export const keyManagerActions = (service: 'kms' | 'hs-crypto') => ({
  readerPlus: of(service, keyReaderPlus),
  keyPurge: [`${service}.secrets.purge`],
  kmipAdapterManager: of(service, [
    'secrets.list',
    'keyrings.list',
    ...of('kmip-management', ['create', 'list', 'read', 'delete']),
  ]),
  configurationReader: [`${service}.governance.configread`],
})

/** Roles that only Hyper Protect Crypto Services has, for parts of it that are not built here. */
export const cryptoUnitActions = {
  certificateManager: of('hs-crypto.certificates', ['create', 'read', 'update', 'delete']),
  vaultAdministrator: of('hs-crypto.vault', ['create', 'read', 'update', 'delete']),
  keyCustodianCreator: of('hs-crypto.vault-key', ['create', 'read']),
  keyCustodianDeployer: of('hs-crypto.vault-key', ['deploy', 'read']),
}

/** VPC, "Cross-account snapshots" and "Sharing file shares": what one account lets another make of its own. */
export const vpcSharingActions = {
  snapshotRestorer: ['is.snapshot.snapshot.remote-restore'],
  volumeRestorer: ['is.volume.volume.remote-restore'],
  shareBroker: ['is.share.share.broker'],
}

/** IBM Cloud IAM, "IAM Identity service": rights that can be given without those of an administrator. */
export const identityActions = {
  serviceIdCreator: ['iam-identity.serviceid.create'],
  userApiKeyCreator: ['iam-identity.apikey.create'],
}
