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
  | (Base & { type: 'iam.api-key.created'; apiKeyId: string; iamId: string })
  | (Base & { type: 'iam.signing-key.created'; kid: string })
  | (Base & { type: 'iam.policy.created'; policyId: string; policyType: 'access' | 'authorization' })
  | (Base & { type: 'iam.policy.deleted'; policyId: string; policyType: 'access' | 'authorization' })
  | (Base & { type: 'resources.group.created'; resourceGroupId: string })
  | (Base & { type: 'resources.instance.created'; instanceCrn: string })
  | (Base & { type: 'resources.instance.deleted'; instanceCrn: string })
  | (Base & { type: 'kms.key.created'; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.key.rotated'; keyCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.key.disabled'; keyCrn: string })
  | (Base & { type: 'kms.key.enabled'; keyCrn: string })
  | (Base & { type: 'kms.key.deleted'; keyCrn: string; forced: boolean })
  | (Base & { type: 'kms.key.expired'; keyCrn: string })
  | (Base & { type: 'kms.registration.created'; keyCrn: string; resourceCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.registration.updated'; keyCrn: string; resourceCrn: string; keyVersionId: string })
  | (Base & { type: 'kms.registration.deleted'; keyCrn: string; resourceCrn: string })
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
  | (Base & { type: 'vpc.volume.requested'; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.volume.abandoned'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.refused'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.created'; volumeCrn: string; keyCrn: string })
  | (Base & { type: 'vpc.volume.updated'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.became-available'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.became-unusable'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.failed'; volumeCrn: string; reason: string })
  | (Base & { type: 'vpc.volume.deletion-requested'; volumeCrn: string })
  | (Base & { type: 'vpc.volume.deleted'; volumeCrn: string })
  | (Base & { type: 'vpc.instance.created'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.deletion-requested'; instanceCrn: string })
  | (Base & { type: 'vpc.instance.deleted'; instanceCrn: string })
  | (Base & { type: 'vpc.attachment.created'; attachmentId: string; instanceCrn: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.attached'; attachmentId: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.detach-requested'; attachmentId: string; volumeCrn: string })
  | (Base & { type: 'vpc.attachment.deleted'; attachmentId: string; instanceCrn: string; volumeCrn: string })
  | (Base & { type: 'vpc.connection.issued'; attachmentId: string; volumeCrn: string; expiresAt: number })

export type EventType = Event['type']
