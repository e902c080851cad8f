// The actions of each role, as lists. Sources: IBM Cloud IAM, "IAM roles and actions"; Key Protect, "Managing user
// access"; VPC, "Required permissions". Each level contains the one below it.

const of = (prefix: string, verbs: readonly string[]): string[] => verbs.map((verb) => `${prefix}.${verb}`)

// VPC: service `is`, platform roles ---------------------------------------------------------------------------------

const vpcNouns = [
  'is.image.image',
  'is.instance.instance',
  'is.instance.volume-attachment',
  'is.key.key',
  'is.security-group.security-group',
  'is.snapshot.snapshot',
  'is.subnet.subnet',
  'is.volume.volume',
  'is.vpc.vpc',
]
const vpc = (...verbs: readonly string[]): string[] => vpcNouns.flatMap((noun) => of(noun, verbs))

// Account management --------------------------------------------------------------------------------------------------

const looking = ['retrieve', 'read', 'list']
const making = ['create', 'update', 'delete', 'lock', 'unlock']
const instances = (...verbs: readonly string[]): string[] => of('resource-controller.instance', verbs)
const groups = (...verbs: readonly string[]): string[] => of('resource-controller.group', verbs)

const viewer = [...instances(...looking), ...groups(...looking), 'iam.policy.read', ...vpc('read', 'list')]
const operator = [...viewer, ...vpc('operate')]
const editor = [...operator, ...instances(...making), ...groups(...making), ...vpc('create', 'update', 'delete')]
const administrator = [...editor, ...of('iam.policy', ['create', 'update', 'delete']), 'iam.role.assign']

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

export const serviceActions = { reader: keys(keyReader), writer: keys(keyWriter), manager: keys(keyManager) }

/** Roles that only Key Protect has. */
export const keyProtectActions = { readerPlus: of('kms', keyReaderPlus), keyPurge: ['kms.secrets.purge'] }
