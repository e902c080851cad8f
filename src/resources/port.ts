// What other services may ask of the account layer: the resource groups that their resources lie in.

export interface ResourceGroup {
  readonly id: string
  readonly accountId: string
  readonly name: string
}

export interface ResourcesPort {
  /** The group named, if it is the account's; its default group where no id is given. Null when there is none. */
  group(accountId: string, id: string | null): Promise<ResourceGroup | null>
}
