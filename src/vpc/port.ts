// What other services may ask of block storage: facts about the resources that lie under keys. Names, tags and contents
// are none of them.

import type { KeyStanding } from '#kms/port.ts'

export interface ResourceFacts {
  readonly resourceCrn: string
  readonly sizeGb: number
  /** As the VPC API says it; vpc/volume-state.ts. */
  readonly status: string
  readonly isAttached: boolean
}

/** What an account's resources have to do with one key. */
export interface KeyOfResources {
  readonly keyCrn: string
  readonly accountId: string
  readonly resourceCount: number
  readonly since: number
  /** Key versions that wrap their data keys. */
  readonly versionIds: readonly string[]
}

/** A resource as a proof compares it with the other books. */
export interface ProvableResource {
  readonly volumeId: string
  readonly resourceCrn: string
  readonly accountId: string
  readonly keyCrn: string
  readonly keyVersionId: string | null
  /** `possible` while it is being made or removed. */
  readonly registration: 'expected' | 'possible'
  readonly image: 'expected' | 'possible'
}

export interface VpcPort {
  /** Of those that there are, in no order: now, or at a past time as far as it is known. */
  facts(resourceCrns: readonly string[], at: number | null): Promise<readonly ResourceFacts[]>
  /** What the status of each would be if its key had the standing. */
  statusUnder(
    resources: readonly { readonly resourceCrn: string; readonly standing: KeyStanding }[],
  ): Promise<readonly { readonly resourceCrn: string; readonly status: string }[]>
  /** The keys that resources lie under which their accounts have named: of one account, or one key. */
  keys(of: { readonly accountId: string } | { readonly keyCrn: string }): Promise<readonly KeyOfResources[]>
  /** Those of the names that only a resource of this region could have, and none has. */
  absent(resourceCrns: readonly string[]): Promise<readonly string[]>
  /** Every resource that there is in this region, in pages ordered by id. */
  resources(afterVolumeId: string, limit: number): Promise<readonly ProvableResource[]>
}
