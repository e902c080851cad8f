export interface ResourceTables {
  resources_group: {
    id: string
    account_id: string
    name: string
    /** 1 for the group that an account is born with. */
    is_default: number
    /** Resource Manager API, "state": ACTIVE or SUSPENDED. */
    state: string
    created_at: number
    updated_at: number
  }
  resources_instance: {
    guid: string
    account_id: string
    name: string
    service_name: string
    plan_id: string
    /** `global` for services that are nowhere in particular. */
    region: string
    resource_group_id: string
    /** Resource Controller API, "state": those of resources/instance-state.ts. */
    state: string
    /** JSON object, as the client sent it. */
    parameters: string
    allow_cleanup: number
    locked: number
    /** JSON list of the plans that it has had, with the time of each change: resources/instance.ts. */
    plan_history: string
    operation_type: string
    operation_sub_type: string
    operation_state: string
    operation_description: string
    created_at: number
    created_by: string
    updated_at: number
    updated_by: string
    deleted_at: number | null
    deleted_by: string | null
    scheduled_reclaim_at: number | null
    scheduled_reclaim_by: string | null
    restored_at: number | null
    restored_by: string | null
  }
  /** An instance that is deleted and may still be restored: the row goes when either has come to pass. */
  resources_reclamation: {
    id: string
    account_id: string
    instance_guid: string
    resource_group_id: string
    /** When it is removed for good. */
    target_at: number
    created_at: number
    created_by: string
  }
  resources_tag: {
    account_id: string
    /** Global Tagging API, "tag_type": user, access or service. */
    type: string
    name: string
    created_at: number
  }
  /** A tag on a resource of any service of the account. */
  resources_tagging: {
    account_id: string
    resource_crn: string
    type: string
    name: string
  }
  /** A service credential: a service id with an API key, and what the service made for it. */
  resources_key: {
    guid: string
    account_id: string
    instance_guid: string
    name: string
    /** Empty for none: then the service id may do nothing until a policy lets it. */
    role_crn: string
    iam_id: string
    policy_id: string | null
    /** Of the HMAC key that was made with it. */
    access_key_id: string | null
    /** JSON of the credentials, sealed; docs/formats.md, "Service credentials". */
    sealed_credentials: Uint8Array
    created_at: number
    created_by: string
    updated_at: number
    updated_by: string
  }
}
