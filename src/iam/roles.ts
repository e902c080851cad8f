// The roles that policies may name. Order matters: within a plane, the first role that has an action is the lowest, and
// that is the one a refusal suggests.

import type { RoleActions } from './decide.ts'
import { delegatorActions, keyProtectActions, platformActions, serviceActions } from './role-actions.ts'

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
const serviceCrn = (name: string): string => `crn:v1:bluemix:public:iam::::serviceRole:${name}`
const keyProtectCrn = (name: string): string => `crn:v1:bluemix:public:kms::::serviceRole:${name}`

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
  crn: serviceCrn(name),
  plane: 'service',
})

const keyProtect = (name: string, description: string, actions: readonly string[]): Role => ({
  ...service(name, description, actions),
  crn: keyProtectCrn(name),
  serviceName: 'kms',
})

export const administratorRole = platformCrn('Administrator')
export const managerRole = serviceCrn('Manager')
export const delegatorRole = platformCrn('AuthorizationDelegator')

export const roles: readonly Role[] = [
  platform('Viewer', 'Sees instances and their settings and changes nothing', platformActions.viewer),
  platform('Operator', 'Sees instances and operates them', platformActions.operator),
  platform('Editor', 'Creates, changes and deletes instances', platformActions.editor),
  platform('Administrator', 'Does everything an Editor does and gives access to others', platformActions.administrator),
  service('Reader', 'Reads within a service; for keys: lists, wraps and unwraps', serviceActions.reader),
  keyProtect(
    'ReaderPlus',
    'Reads within Key Protect, also the material of standard keys',
    keyProtectActions.readerPlus,
  ),
  service('Writer', 'Does what a Reader does and creates and changes things', serviceActions.writer),
  service('Manager', 'Does what a Writer does and the privileged actions of a service', serviceActions.manager),
  keyProtect('KeyPurge', 'Purges deleted keys before their time', keyProtectActions.keyPurge),
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
