// Every operation that a client may ask for, with the types of its contract. Only types are imported: the browser gets
// methods and paths from its build (virtual:operations), the command line from openapi/*.json, and the server checks the rest.

import type { Static, TSchema } from 'typebox'
import type { auditLogContract } from '#audit/contract-log.ts'
import type { auditContract } from '#audit/contract.ts'
import type { Input, Operation } from '#base/contract.ts'
import type { explainContract } from '#iam/contract-access.ts'
import type { identityContract } from '#iam/contract-identity.ts'
import type { tokenContract } from '#iam/contract-tokens.ts'
import type { policyContract } from '#iam/contract.ts'
import type { kmsContract, ownContract } from '#kms/contract.ts'
import type { ledgerContract } from '#ledger/contract.ts'
import type { resourcesContract } from '#resources/contract.ts'
import type { vpcContract, vpcOwnContract } from '#vpc/contract.ts'

/** The same names as in scripts/console-build.ts, and the names of the files in openapi/. */
export interface Services {
  readonly iam: typeof tokenContract & typeof identityContract & typeof policyContract
  readonly kms: typeof kmsContract
  readonly vpc: typeof vpcContract
  readonly resources: typeof resourcesContract
  readonly keyward: typeof vpcOwnContract &
    typeof auditContract &
    typeof auditLogContract &
    typeof explainContract &
    typeof ownContract
  /** A stream is not asked for as the others are: events.ts. */
  readonly transparency: Omit<typeof ledgerContract, 'streamNotices'>
}

export type Service = keyof Services
export type Name<S extends Service> = keyof Services[S] & string

type Of<S extends Service, N extends Name<S>> = Services[S][N] extends Operation ? Services[S][N] : never

export type Answer<S extends Service, N extends Name<S>> = Of<S, N>['reply'] extends TSchema
  ? Static<Of<S, N>['reply']>
  : undefined

/** Path, query and body as the contract has them; headers are text. */
export type Given<S extends Service, N extends Name<S>> = (keyof Input<Of<S, N>>['path'] extends never
  ? { readonly path?: undefined }
  : { readonly path: Input<Of<S, N>>['path'] }) & {
  readonly query?: Input<Of<S, N>>['query']
  readonly body?: Input<Of<S, N>>['body']
  readonly headers?: Readonly<Record<string, string>>
}
