// Shapes of the wire of what stands around keys: rings, aliases, policies, import tokens, what services say.
// Source: Key Protect API v2, "Key rings", "Key aliases", "Policies", "Import tokens", "Registrations".

import { Type } from 'typebox'
import { closed, dualAuthInput, metadata, requestMetadata, rotationInput } from './schemas.ts'

const text = Type.String()
const flag = Type.Boolean()
const stamps = { creationDate: text, createdBy: text, updatedBy: text } as const

export const aliasCollection = Type.Object({
  metadata,
  resources: Type.Array(Type.Object({ keyId: text, alias: text, createdBy: text, creationDate: text }, closed)),
})

/** The default ring has no dates: it was never made. */
export const keyRingCollection = Type.Object({
  metadata,
  resources: Type.Array(
    Type.Object({ id: text, creationDate: Type.Optional(text), createdBy: Type.Optional(text) }, closed),
  ),
})

export const importTokenBody = Type.Object(
  { expiration: Type.Optional(Type.Number()), maxAllowedRetrievals: Type.Optional(Type.Number()) },
  closed,
)
const importTokenFields = {
  creationDate: text,
  expirationDate: text,
  maxAllowedRetrievals: Type.Integer(),
  remainingRetrievals: Type.Integer(),
} as const
export const importTokenMade = Type.Object(importTokenFields, closed)
export const importTokenShown = Type.Object({ ...importTokenFields, payload: text, nonce: text }, closed)

export const keyPoliciesBody = Type.Object(
  {
    metadata: requestMetadata,
    resources: Type.Array(
      Type.Object(
        {
          type: Type.Optional(text),
          rotation: Type.Optional(rotationInput),
          dualAuthDelete: Type.Optional(dualAuthInput),
        },
        closed,
      ),
    ),
  },
  closed,
)
export const keyPolicyCollection = Type.Object({
  metadata,
  resources: Type.Array(
    Type.Object(
      {
        type: text,
        id: text,
        crn: text,
        ...stamps,
        lastUpdateDate: text,
        rotation: Type.Optional(Type.Object({ enabled: flag, interval_month: Type.Integer() })),
        dualAuthDelete: Type.Optional(Type.Object({ enabled: flag })),
      },
      closed,
    ),
  ),
})

const attributes = Type.Object(
  {
    allowed_network: Type.Optional(Type.Enum(['public-and-private', 'private-only'])),
    allowed_ip: Type.Optional(Type.Array(text)),
    interval_month: Type.Optional(Type.Integer()),
    create_root_key: Type.Optional(flag),
    create_standard_key: Type.Optional(flag),
    import_root_key: Type.Optional(flag),
    import_standard_key: Type.Optional(flag),
    enforce_token: Type.Optional(flag),
  },
  closed,
)
const policyData = Type.Object({ enabled: flag, attributes: Type.Optional(attributes) }, closed)

/** Older pages disable dual authorization as if it were the policy of a key; both forms are sent. */
export const instancePoliciesBody = Type.Object(
  {
    metadata: requestMetadata,
    resources: Type.Array(
      Type.Union([
        Type.Object({ type: Type.Optional(text), policy_type: text, policy_data: policyData }, closed),
        Type.Object({ type: Type.Optional(text), dualAuthDelete: dualAuthInput }, closed),
      ]),
    ),
  },
  closed,
)
export const instancePolicyCollection = Type.Object({
  metadata,
  resources: Type.Array(
    Type.Object({ ...stamps, lastUpdated: text, policy_type: text, policy_data: policyData }, closed),
  ),
})

export const allowedIpPortReply = Type.Object({
  metadata,
  resources: Type.Array(Type.Object({ private_endpoint_port: Type.Integer() }, closed)),
})

export const registrationBody = Type.Object(
  {
    metadata: requestMetadata,
    resources: Type.Array(
      Type.Object(
        {
          type: Type.Optional(text),
          preventKeyDeletion: Type.Optional(flag),
          description: Type.Optional(text),
          keyVersionId: Type.Optional(text),
          registrationMetadata: Type.Optional(text),
        },
        closed,
      ),
    ),
  },
  closed,
)

export const acknowledgeBody = Type.Object(
  {
    metadata: requestMetadata,
    resources: Type.Array(
      Type.Object(
        {
          type: Type.Optional(text),
          eventId: text,
          eventType: Type.Optional(text),
          keyState: Type.Optional(Type.Integer()),
          newKeyVersionId: Type.Optional(text),
        },
        closed,
      ),
    ),
  },
  closed,
)

/** Ours, not Key Protect's: how far the resources of a key have come with its newest version. */
export const rotationReply = Type.Object(
  {
    key_id: text,
    key_crn: text,
    newest_version: Type.Object({ id: text, creation_date: text }, closed),
    versions: Type.Array(Type.Object({ id: text, creation_date: text, registrations: Type.Integer() }, closed)),
    registrations: Type.Integer(),
    remaining: Type.Integer(),
    /** From 0 to 1. */
    progress: Type.Number(),
    converged: flag,
    /** Absent until the first resource has followed, and when all have. */
    rewraps_per_second: Type.Optional(Type.Number()),
    estimated_completion: Type.Optional(text),
  },
  closed,
)
