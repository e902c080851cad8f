// The union of everything that can have happened: past tense, facts only, no key material, no orders. Each event is
// written in the transaction that makes it true. docs/formats.md, "Events", describes the stored form.

interface Base {
  /** The account whose thing it happened to. */
  readonly accountId: string
  /** The IAM id of who did it; absent where the product itself did. */
  readonly initiatorId?: string
}

export type Event =
  | (Base & { type: 'iam.account.created'; name: string })
  | (Base & { type: 'iam.account.disabled' })
  | (Base & { type: 'iam.account.enabled' })
  | (Base & { type: 'iam.account-settings.updated' })
  | (Base & { type: 'iam.user.created'; iamId: string })
  | (Base & { type: 'iam.user.deleted'; iamId: string })
  | (Base & { type: 'iam.api-key.created'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.updated'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.deleted'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.locked'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.unlocked'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.disabled'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.api-key.enabled'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.service-id.created'; iamId: string })
  | (Base & { type: 'iam.service-id.updated'; iamId: string })
  | (Base & { type: 'iam.service-id.deleted'; iamId: string })
  | (Base & { type: 'iam.service-id.locked'; iamId: string })
  | (Base & { type: 'iam.service-id.unlocked'; iamId: string })
  | (Base & { type: 'iam.profile.created'; iamId: string })
  | (Base & { type: 'iam.profile.updated'; iamId: string })
  | (Base & { type: 'iam.profile.deleted'; iamId: string })
  | (Base & { type: 'iam.signing-key.created'; kid: string })
  | (Base & { type: 'iam.signing-key.deleted'; kid: string })
  | (Base & { type: 'iam.policy.created'; policyId: string; policyType: 'access' | 'authorization' })
  | (Base & { type: 'iam.policy.updated'; policyId: string; policyType: 'access' | 'authorization' })
  | (Base & { type: 'iam.policy.restored'; policyId: string; policyType: 'access' | 'authorization' })
  | (Base & {
      type: 'iam.policy.deleted'
      policyId: string
      policyType: 'access' | 'authorization'
      /** The authorization that it was derived from, where it went together with that. */
      parentId?: string
    })
  /** By its bounds, at its time. */
  | (Base & { type: 'iam.policy.ended'; policyId: string; endsAt: number })
  | (Base & {
      /** Requests passed a bound of an authorization; collected for some seconds. */
      type: 'iam.bound.passed'
      policyId: string
      bound: string
      /** Whether they were refused; false where the authorization only watches. */
      isEnforced: boolean
      count: number
      subjectAccountId: string
      serviceName: string
      /** Of the last of them. */
      action: string
    })
  | (Base & { type: 'iam.role.created'; roleId: string })
  | (Base & { type: 'iam.role.updated'; roleId: string })
  | (Base & { type: 'iam.role.deleted'; roleId: string })
  | (Base & { type: 'iam.access-group.created'; groupId: string })
  | (Base & { type: 'iam.access-group.updated'; groupId: string })
  | (Base & { type: 'iam.access-group.deleted'; groupId: string })
  | (Base & { type: 'iam.access-group.member-added'; groupId: string; iamId: string })
  | (Base & { type: 'iam.access-group.member-removed'; groupId: string; iamId: string })
  | (Base & { type: 'iam.access-settings.updated' })
  | (Base & {
      /** Somebody of another account was decided on, while the account watches or limits such. */
      type: 'iam.external-access.evaluated'
      subjectAccountId: string
      identityType: 'user' | 'service_id' | 'service'
      action: string
      /** Whether the account's setting kept them out; false while it only watches. */
      isEnforced: boolean
    })
  | (Base & { type: 'resources.group.created'; resourceGroupId: string })
  | (Base & { type: 'resources.group.updated'; resourceGroupId: string })
  | (Base & { type: 'resources.group.deleted'; resourceGroupId: string })
  | (Base & { type: 'resources.instance.created'; instanceCrn: string })
  | (Base & { type: 'resources.instance.activated'; instanceCrn: string })
  | (Base & { type: 'resources.instance.updated'; instanceCrn: string })
  | (Base & { type: 'resources.instance.locked'; instanceCrn: string })
  | (Base & { type: 'resources.instance.unlocked'; instanceCrn: string })
  | (Base & { type: 'resources.instance.removal-requested'; instanceCrn: string })
  | (Base & { type: 'resources.instance.removal-refused'; instanceCrn: string; reason: string })
  | (Base & { type: 'resources.instance.reclamation-scheduled'; instanceCrn: string; targetAt: number })
  | (Base & { type: 'resources.instance.restored'; instanceCrn: string })
  | (Base & { type: 'resources.instance.deleted'; instanceCrn: string })
  | (Base & { type: 'resources.tag.created'; tagType: string; names: readonly string[] })
  | (Base & { type: 'resources.tag.deleted'; tagType: string; names: readonly string[] })
  | (Base & { type: 'resources.tag.attached'; tagType: string; names: readonly string[]; resourceCrn: string })
  | (Base & { type: 'resources.tag.detached'; tagType: string; names: readonly string[]; resourceCrn: string })
  | (Base & {
      type: 'kms.key.created'
      keyCrn: string
      keyVersionId: string
      keyType: string
      createdAt: number
      /** Absent where it does not expire. */
      expiresAt?: number
    })
  | (Base & { type: 'kms.key.rotated'; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.key.disabled'; keyCrn: string })
  | (Base & { type: 'kms.key.enabled'; keyCrn: string })
  | (Base & {
      type: 'kms.key.deleted'
      keyCrn: string
      forced: boolean
      /** Whose registrations force took away: how many resources, and the first of them. */
      users: readonly { accountId: string; resourceCount: number; resourceCrns: readonly string[] }[]
    })
  /** From now on uses are counted that a disabled key would refuse. */
  | (Base & { type: 'kms.key.quarantined' | 'kms.key.quarantine-lifted'; keyCrn: string })
  /** How long a key has to be in quarantine before it is deleted, hours; 0 for not at all. */
  | (Base & { type: 'kms.key-safety.updated'; quarantineHours: number })
  | (Base & { type: 'kms.key.expired'; keyCrn: string; keyType: string; expiresAt: number })
  | (Base & { type: 'kms.key.restored'; keyCrn: string; keyVersionId: string })
  | (Base & {
      type: 'kms.key.purged'
      keyCrn: string
      deletedAt: number
      purgeAllowedFrom: number
      purgeEligibleOn: number
      /** SHA-256 of the statement, in hexadecimal; docs/formats.md, "Destroy certificate". */
      destroyCertificate: string
    })
  /** Wrapped data keys of the account died with a purged key, whoever owned that. */
  | (Base & { type: 'kms.data-keys.destroyed'; keyCrn: string; dataKeyCount: number; destroyCertificate: string })
  | (Base & { type: 'kms.key.moved'; keyCrn: string; keyRingId: string; previousKeyRingId: string })
  | (Base & { type: 'kms.key.sync-requested'; keyCrn: string })
  | (Base & { type: 'kms.key.set-for-deletion'; keyCrn: string; authorizationExpiresAt: number })
  | (Base & { type: 'kms.key.unset-for-deletion'; keyCrn: string })
  /** After a rotation, when no registration names an older version any more. */
  | (Base & { type: 'kms.key.rotation-converged'; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.key.policy-set'; keyCrn: string; policyType: 'rotation' | 'dualAuthDelete'; enabled: boolean })
  | (Base & { type: 'kms.alias.created' | 'kms.alias.deleted'; keyCrn: string; alias: string })
  | (Base & { type: 'kms.key-ring.created' | 'kms.key-ring.deleted'; instanceId: string; keyRingId: string })
  | (Base & { type: 'kms.instance.policy-set'; instanceId: string; policyType: string; enabled: boolean })
  /** By the operator, for somebody who was locked out. */
  | (Base & {
      type: 'kms.instance.network-policies-lifted'
      instanceCrn: string
      policyTypes: readonly ('allowedIP' | 'allowedNetwork')[]
    })
  | (Base & { type: 'kms.import-token.created'; instanceId: string; expiresAt: number; maxAllowedRetrievals: number })
  | (Base & { type: 'kms.import-token.retrieved'; instanceId: string; remainingRetrievals: number })
  | (Base & {
      type: 'kms.lifecycle.acknowledged'
      keyCrn: string
      noticeId: string
      /** What happened to the key: rotate, disable, enable, delete, restore, sync. */
      noticeType: string
      serviceName: string
      serviceAccountId: string
      /** From the change to the acknowledgement. */
      latencyMs: number
      keyState: number
      oldKeyVersionId?: string
      newKeyVersionId?: string
    })
  | (Base & {
      type: 'kms.lifecycle.failed'
      keyCrn: string
      noticeId: string
      noticeType: string
      serviceName: string
      serviceAccountId: string
      /** 408: no acknowledgement in time. 409: the service's idea of the key is not ours. */
      reasonCode: 408 | 409
      reasonForFailure: string
      resourceCrn?: string
    })
  | (Base & { type: 'kms.registration.created'; keyCrn: string; resourceCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.registration.updated'; keyCrn: string; resourceCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.registration.deleted'; keyCrn: string; resourceCrn: string })
  /** A service has said that its resources no longer use a key that was disabled or deleted; the first of them by name. */
  | (Base & {
      type: 'kms.registrations.deactivated'
      keyCrn: string
      noticeId: string
      serviceName: string
      serviceAccountId: string
      resourceCrns: readonly string[]
      resourceCount: number
    })
  /** One service brought them to the version that a rotation made, together. */
  | (Base & {
      type: 'kms.registrations.followed'
      keyCrn: string
      resourceCrns: readonly string[]
      keyVersionId: string
    })
  | (Base & {
      type: 'kms.lease.fenced'
      keyCrn: string
      resourceCrn: string
      leaseId: string
      holderId: string
      /** Milliseconds from the commit of the cause to the acknowledgement. */
      elapsedMs: number
      /** Base64 of the signature over the acknowledgement; docs/formats.md. */
      signature: string
      fencedAt: number
    })
  | (Base & { type: 'cos.bucket.created' | 'cos.bucket.deleted'; bucketCrn: string })
  | (Base & { type: 'cos.object.written' | 'cos.object.deleted'; bucketCrn: string; key: string; objectId: string })
  | (Base & { type: 'cos.hmac-key.created'; accessKeyId: string; iamId: string })
  | (Base & { type: 'cos.hmac-key.deleted'; accessKeyId: string })
  | (Base & { type: 'resources.key.created' | 'resources.key.updated' | 'resources.key.deleted'; keyCrn: string })
  | (Base & { type: 'vpc.volume.requested'; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.volume.abandoned'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.refused'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.created'; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.volume.updated'; volumeCrn: string })
  /** The data key is wrapped by another version of the same root key; nothing that readers see has changed. */
  | (Base & { type: 'vpc.volume.data-key-rewrapped'; volumeCrn: string; keyCrn: string; keyVersionId: string })
  | (Base & {
      /** Ours: to lie under another data key, perhaps under another root key. Both are in use until it does. */
      type: 'vpc.volume.reencryption-requested' | 'vpc.volume.reencryption-started' | 'vpc.volume.reencrypted'
      volumeCrn: string
      olderKeyCrn: string
      keyCrn: string
    })
  | (Base & { type: 'vpc.volume.reencryption-refused'; volumeCrn: string; keyCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.reencryption-limited'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.became-available'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.became-unusable'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.resumed'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.failed'; volumeCrn: string; reason: string })
  /** Some of its sectors, or all of it, are not what was written; some of those by number. */
  | (Base & {
      type: 'vpc.volume.damaged'
      volumeCrn: string
      sectors: readonly number[]
      hasMore: boolean
      isLost: boolean
    })
  /** What was bad of it was written again. */
  | (Base & { type: 'vpc.volume.mended'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.deletion-requested'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.deleted'; volumeCrn: string })
  | (Base & { type: 'vpc.snapshot.requested'; snapshotCrn: string; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.snapshot.abandoned'; snapshotCrn: string; reason: string })
  | (Base & { type: 'vpc.snapshot.refused'; snapshotCrn: string; reason: string })
  | (Base & { type: 'vpc.snapshot.created'; snapshotCrn: string; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.snapshot.updated'; snapshotCrn: string })
  /** As of volumes: wrapped by another version of the same root key. */
  | (Base & { type: 'vpc.snapshot.data-key-rewrapped'; snapshotCrn: string; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'vpc.snapshot.became-stable'; snapshotCrn: string })
  | (Base & { type: 'vpc.snapshot.became-unusable'; snapshotCrn: string; reason: string })
  | (Base & { type: 'vpc.snapshot.resumed'; snapshotCrn: string })
  | (Base & { type: 'vpc.snapshot.failed'; snapshotCrn: string; reason: string })
  | (Base & { type: 'vpc.snapshot.deletion-requested'; snapshotCrn: string })
  | (Base & { type: 'vpc.snapshot.deleted'; snapshotCrn: string })
  | (Base & {
      /** Block storage of another account makes a volume of it; the snapshot's owner is told. */
      type: 'vpc.snapshot.restored-remotely'
      snapshotCrn: string
      volumeCrn: string
      subjectAccountId: string
    })
  | (Base & { type: 'vpc.snapshot-group.requested'; groupCrn: string })
  | (Base & { type: 'vpc.snapshot-group.abandoned'; groupCrn: string })
  | (Base & { type: 'vpc.snapshot-group.created'; groupCrn: string })
  | (Base & { type: 'vpc.snapshot-group.updated'; groupCrn: string })
  | (Base & { type: 'vpc.snapshot-group.deletion-requested'; groupCrn: string })
  | (Base & { type: 'vpc.snapshot-group.deleted'; groupCrn: string })
  | (Base & { type: 'vpc.image.requested'; imageCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.image.abandoned'; imageCrn: string; reason: string })
  | (Base & { type: 'vpc.image.refused'; imageCrn: string; reason: string })
  | (Base & { type: 'vpc.image.created'; imageCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.image.updated'; imageCrn: string })
  /** As of volumes: wrapped by another version of the same root key. */
  | (Base & { type: 'vpc.image.data-key-rewrapped'; imageCrn: string; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'vpc.image.became-available'; imageCrn: string })
  | (Base & { type: 'vpc.image.became-unusable'; imageCrn: string; reason: string })
  | (Base & { type: 'vpc.image.resumed'; imageCrn: string })
  | (Base & { type: 'vpc.image.failed'; imageCrn: string; reason: string })
  | (Base & { type: 'vpc.image.deletion-requested'; imageCrn: string })
  | (Base & { type: 'vpc.image.deleted'; imageCrn: string })
  | (Base & { type: 'vpc.image-export.created'; imageCrn: string; jobId: string })
  | (Base & { type: 'vpc.image-export.updated'; imageCrn: string; jobId: string })
  | (Base & { type: 'vpc.image-export.succeeded'; imageCrn: string; jobId: string })
  | (Base & { type: 'vpc.image-export.failed'; imageCrn: string; jobId: string; reason: string })
  | (Base & { type: 'vpc.image-export.deletion-requested'; imageCrn: string; jobId: string })
  | (Base & { type: 'vpc.image-export.deleted'; imageCrn: string; jobId: string })
  | (Base & { type: 'vpc.instance.created'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.requested'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.abandoned'; instanceCrn: string; reason: string })
  | (Base & { type: 'vpc.instance.updated'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.start-requested'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.stop-requested'; instanceCrn: string; reason?: string })
  | (Base & { type: 'vpc.instance.reboot-requested'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.started'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.stopped'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.failed'; instanceCrn: string; reason: string })
  | (Base & { type: 'vpc.instance.deletion-requested'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.deleted'; instanceCrn: string })
  | (Base & { type: 'vpc.attachment.created'; attachmentId: string; instanceCrn: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.updated'; attachmentId: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.attached'; attachmentId: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.detach-requested'; attachmentId: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.deleted'; attachmentId: string; instanceCrn: string; volumeCrn: string })
  | (Base & { type: 'vpc.record.created'; kind: string; recordId: string; name: string })
  | (Base & { type: 'vpc.record.updated'; kind: string; recordId: string; name: string })
  | (Base & { type: 'vpc.record.deleted'; kind: string; recordId: string; name: string })
  | (Base & { type: 'vpc.connection.issued'; attachmentId: string; volumeCrn: string; expiresAt: number })
  | (Base & {
      /** The books of keys, registrations, resources and images do not agree, or do again; ledger/proof.ts. */
      type: 'ledger.difference.found' | 'ledger.difference.resolved'
      what: string
      resourceCrn: string
      keyCrn: string
      ownerAccountId: string
    })
  /** In the inbox of the account, which `accountId` is. */
  | (LedgerBase & { type: 'ledger.notice.sent' | 'ledger.notice.read'; noticeId: string; noticeType: string })
  | (LedgerBase & {
      type: 'ledger.notice.acknowledged' | 'ledger.notice.objected'
      noticeId: string
      noticeType: string
      reason?: string
    })
  | (LedgerBase & {
      type: 'ledger.webhook.delivered' | 'ledger.webhook.gave-up'
      noticeId: string
      noticeType: string
      webhookId: string
      attempts: number
    })
  | (Base & {
      type:
        | 'ledger.webhook.created'
        | 'ledger.webhook.updated'
        | 'ledger.webhook.deleted'
        | 'ledger.webhook.secret-rotated'
      webhookId: string
    })
  | (LedgerBase & { type: 'ledger.plan.announced'; planId: string; action: string; plannedAt: number })
  | (LedgerBase & { type: 'ledger.plan.done' | 'ledger.plan.withdrawn'; planId: string; action: string })
  /** The owner goes on although something stands against it; one for each account that it concerns, which `accountId` is. */
  | (LedgerBase & { type: 'ledger.plan.overridden'; planId: string; action: string; reason: string })

/** What two accounts have in common: the one that it happened to, and the owner of the key. */
interface LedgerBase extends Base {
  readonly keyCrn: string
  readonly ownerAccountId: string
}

export type EventType = Event['type']
