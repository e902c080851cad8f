export interface ResourceTables {
  resources_group: {
    id: string
    account_id: string
    name: string
    /** 1 for the group that an account is born with. */
    is_default: number
    created_at: number
  }
  resources_instance: {
    guid: string
    account_id: string
    name: string
    service_name: string
    plan_id: string
    region: string
    resource_group_id: string
    /** Resource controller API, "state": those of resources/instance-state.ts. */
    state: string
    /** JSON object, as the client sent it. */
    parameters: string
    allow_cleanup: number
    created_at: number
    created_by: string
    updated_at: number
    deleted_at: number | null
    deleted_by: string | null
  }
}
