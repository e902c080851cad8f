// What other services may ask of the account layer: the resource groups that their resources lie in. And what it asks of
// them: which resources they have, so that search finds them and tags stay on what is there.

import type { Crn } from '#base/crn.ts'
import type { Target } from '#iam/port.ts'

export interface ResourceGroup {
  readonly id: string
  readonly accountId: string
  readonly name: string
}

/** A service instance of object storage. */
export interface StorageInstance {
  readonly id: string
  readonly accountId: string
  readonly resourceGroupId: string
  /** False while it is deleted and may still be restored. */
  readonly isActive: boolean
}

export interface ResourcesPort {
  /** The group named, if it is the account's; its default group where no id is given. Null when there is none. */
  group(accountId: string, id: string | null): Promise<ResourceGroup | null>
  /** By GUID, in whatever account; null for what is none, or has been removed for good. */
  storageInstance(guid: string): Promise<StorageInstance | null>
}

/** A resource as Global Search shows it. Who may see it is decided on `target`. */
export interface SearchableResource {
  readonly crn: string
  readonly name: string
  /** Global Search, "family": the part of the platform that it belongs to, such as `resource_controller` or `is`. */
  readonly family: string
  readonly type: string
  readonly serviceName: string
  readonly region: string
  /** Null for what lies in no group. */
  readonly resourceGroupId: string | null
  readonly createdAt: number
  readonly isReclaimed: boolean
  /** User tags that the resource itself keeps, beside those that tagging keeps. */
  readonly ownTags: readonly string[]
  readonly target: Target
  /** Further fields, found under `doc.` and shown where all fields are asked for. */
  readonly doc: Readonly<Record<string, unknown>>
}

export interface Searchable {
  /** Whether resources named like this are this service's: what it does not list then does not exist. */
  covers(crn: Crn): boolean
  /** Every resource of the account, or the one named. */
  resources(accountId: string, crn: string | null): Promise<readonly SearchableResource[]>
}
