/** What account holders have granted: policies, roles of their own, access groups, and who from elsewhere may come in. */
export interface IamPolicyTables {
  iam_policy: {
    id: string
    /** The account of the resource: whose policy it is. */
    account_id: string
    type: 'access' | 'authorization'
    state: 'active' | 'deleted'
    /** How decisions find it, by who and by what: docs/formats.md, "Policies". */
    subject_key: string
    resource_key: string
    /** What lists filter by; null where the policy does not say it as such. */
    service_type: 'service' | 'platform_service' | null
    service_name: string | null
    service_group_id: string | null
    /** JSON of what its author sent, in the author's order. */
    document: string
    /** JSON of what decisions read: conditions by their right names, role CRNs. */
    facts: string
    /** The facts before the last change, or null where the policy was not active then; for delayed propagation. */
    facts_before: string | null
    /** Hexadecimal SHA-256 of the facts in a fixed order: two active policies of an account never share it. */
    fingerprint: string
    /** Whether it lets its source hand its access on. */
    delegates: 0 | 1
    bounded: 0 | 1
    /** When its bounds end it, by the clock of keys; null where they do not. */
    ends_at: number | null
    /** 1 once it has been written down that it ended. */
    end_noted: 0 | 1
    /** The authorization that this one was derived from, and the account that derived it; null for all others. */
    parent_id: string | null
    delegated_by: string | null
    revision: string
    created_at: number
    created_by_id: string
    last_modified_at: number
    last_modified_by_id: string
  }
  /** When a policy last permitted something, and how often it has. Written in batches, after the fact. */
  iam_policy_permit: {
    policy_id: string
    last_permit_at: number
    permit_count: number
  }
  /** Requests that passed a bound of an authorization: how many, and the last of them. */
  iam_bound_passed: {
    policy_id: string
    /** 1 where they were refused, 0 where the authorization only watched. */
    enforced: 0 | 1
    count: number
    last_at: number
    last_bound: string
    last_action: string
    last_account_id: string
    last_service: string
    /** The key that was asked for. */
    last_resource: string
  }
  /** Roles that an account has made for itself. */
  iam_custom_role: {
    id: string
    account_id: string
    crn: string
    name: string
    display_name: string
    description: string | null
    service_name: string
    /** JSON array, in its author's order. */
    actions: string
    /** Hexadecimal SHA-256 of the sorted actions: two roles of a service never share it. */
    fingerprint: string
    revision: string
    created_at: number
    created_by_id: string
    last_modified_at: number
    last_modified_by_id: string
  }
  iam_access_group: {
    id: string
    account_id: string
    name: string
    description: string
    revision: string
    created_at: number
    created_by_id: string
    last_modified_at: number
    last_modified_by_id: string
  }
  iam_access_group_member: {
    group_id: string
    /** The group's account, so that decisions find the groups of somebody in one account. */
    account_id: string
    iam_id: string
    type: 'user' | 'service' | 'profile'
    created_at: number
    created_by_id: string
  }
  /** Who from other accounts may act in this one at all; no row where an account has never said. */
  iam_access_settings: {
    account_id: string
    /** JSON: docs/formats.md, "Access settings". */
    document: string
    revision: string
    last_modified_at: number
    last_modified_by_id: string
  }
}
