// Shapes of the wire that more than one operation has. What a schema cannot say in the documented words (lengths, dates,
// base64, how many resources) is checked in key-request.ts, so that it fails with the documented code.
// Source: Key Protect API v2, "Key", "Key actions" and "Registrations".

import { Type } from 'typebox'
import { keyPageMax, pageOffsetMax } from '#base/limits.ts'

export type Kind =
  | 'alias'
  | 'allowed_ip_metadata'
  | 'event_acknowledge'
  | 'key'
  | 'key_ring'
  | 'policy'
  | 'registration'
  | 'registration_input'

export const mediaType = (kind: Kind): string => `application/vnd.ibm.kms.${kind}+json`

const text = Type.String()
export const closed = { additionalProperties: false } as const

export const versionSchema = Type.Object({ id: text, creationDate: text })
const versionIdSchema = Type.Object({ id: text })

/** `Prefer: return=minimal` leaves only `type` and `id`; hence everything else is optional. */
export const keySchema = Type.Object(
  {
    type: text,
    id: text,
    name: Type.Optional(text),
    aliases: Type.Optional(Type.Array(text)),
    description: Type.Optional(text),
    tags: Type.Optional(Type.Array(text)),
    state: Type.Optional(Type.Integer()),
    extractable: Type.Optional(Type.Boolean()),
    crn: Type.Optional(text),
    imported: Type.Optional(Type.Boolean()),
    keyRingID: Type.Optional(text),
    creationDate: Type.Optional(text),
    createdBy: Type.Optional(text),
    lastUpdateDate: Type.Optional(text),
    lastRotateDate: Type.Optional(text),
    expirationDate: Type.Optional(text),
    keyVersion: Type.Optional(versionSchema),
    payload: Type.Optional(text),
    algorithmType: Type.Optional(text),
    algorithmMode: Type.Optional(text),
    algorithmBitSize: Type.Optional(Type.Integer()),
    algorithmMetadata: Type.Optional(Type.Object({ bitLength: text, mode: text })),
    nonactiveStateReason: Type.Optional(Type.Integer()),
    dualAuthDelete: Type.Optional(
      Type.Object({
        enabled: Type.Boolean(),
        keySetForDeletion: Type.Optional(Type.Boolean()),
        authExpiration: Type.Optional(text),
      }),
    ),
    rotation: Type.Optional(Type.Object({ enabled: Type.Boolean(), interval_month: Type.Integer() })),
    encryptedNonce: Type.Optional(text),
    iv: Type.Optional(text),
    encryptionAlgorithm: Type.Optional(text),
    deleted: Type.Optional(Type.Boolean()),
    deletionDate: Type.Optional(text),
    deletedBy: Type.Optional(text),
    restoreExpirationDate: Type.Optional(text),
    restoreAllowed: Type.Optional(Type.Boolean()),
    purgeAllowed: Type.Optional(Type.Boolean()),
    purgeAllowedFrom: Type.Optional(text),
    purgeScheduledOn: Type.Optional(text),
  },
  closed,
)

const registrationSchema = Type.Object(
  {
    keyId: text,
    keyName: text,
    resourceCrn: text,
    createdBy: text,
    creationDate: text,
    updatedBy: text,
    lastUpdated: text,
    description: text,
    preventKeyDeletion: Type.Boolean(),
    keyVersion: versionSchema,
  },
  closed,
)

const metadataFields = {
  collectionType: text,
  collectionTotal: Type.Integer(),
  totalCount: Type.Optional(Type.Integer()),
} as const
export const metadata = Type.Object(metadataFields)
/** What a request says of itself. */
export const requestMetadata = Type.Object({ collectionType: text, collectionTotal: Type.Integer() }, closed)

const keyMetadata = Type.Object({
  ...metadataFields,
  incompleteSearch: Type.Optional(Type.Boolean()),
  searchQuery: Type.Optional(
    Type.Object({ query: text, scopes: Type.Array(text), not: Type.Boolean(), exact: Type.Boolean() }),
  ),
})

export const keyCollection = Type.Object({ metadata: keyMetadata, resources: Type.Array(keySchema) })
export const versionCollection = Type.Object({ metadata, resources: Type.Array(versionSchema) })
export const registrationCollection = Type.Object({ metadata, resources: Type.Array(registrationSchema) })

/** Clients send the name of this field in the case they like: the Go client's is `Tags`. */
const anyCaseTags = { '^[tT][aA][gG][sS]$': Type.Array(text) }

export const rotationInput = Type.Object(
  { enabled: Type.Optional(Type.Boolean()), interval_month: Type.Optional(Type.Number()) },
  closed,
)
export const dualAuthInput = Type.Object({ enabled: Type.Boolean() }, closed)

export const newKeyCollection = Type.Object(
  {
    metadata: requestMetadata,
    resources: Type.Array(
      Type.Object(
        {
          type: text,
          name: text,
          description: Type.Optional(text),
          extractable: Type.Boolean(),
          payload: Type.Optional(text),
          expirationDate: Type.Optional(text),
          aliases: Type.Optional(Type.Array(text)),
          encryptedNonce: Type.Optional(text),
          iv: Type.Optional(text),
          encryptionAlgorithm: Type.Optional(text),
          rotation: Type.Optional(rotationInput),
          dualAuthDelete: Type.Optional(dualAuthInput),
        },
        { ...closed, patternProperties: anyCaseTags },
      ),
    ),
  },
  closed,
)

/** `keyRingID`, in any case. */
export const patchKeyBody = Type.Object(
  {},
  { ...closed, patternProperties: { '^[kK][eE][yY][rR][iI][nN][gG][iI][dD]$': text } },
)

const aad = Type.Optional(Type.Array(text))

// The Python client sends `null` where it has nothing to say, the Node client `{}`, others no body at all.
export const wrapBody = Type.Union([Type.Object({ plaintext: Type.Optional(text), aad }, closed), Type.Null()])
export const unwrapBody = Type.Object({ ciphertext: text, aad }, closed)
export const rotateBody = Type.Union([
  Type.Object(
    {
      payload: Type.Optional(text),
      encryptedNonce: Type.Optional(text),
      iv: Type.Optional(text),
      encryptionAlgorithm: Type.Optional(text),
    },
    closed,
  ),
  Type.Null(),
])

/** The old form of all actions: one operation for every body that any of them takes. */
export const anyActionBody = Type.Union([
  Type.Object(
    {
      plaintext: Type.Optional(text),
      ciphertext: Type.Optional(text),
      aad,
      payload: Type.Optional(text),
      encryptedNonce: Type.Optional(text),
      iv: Type.Optional(text),
      encryptionAlgorithm: Type.Optional(text),
    },
    closed,
  ),
  Type.Null(),
])

export const wrapReply = Type.Object({
  plaintext: Type.Optional(text),
  ciphertext: text,
  keyVersion: versionIdSchema,
})
export const unwrapReply = Type.Object({
  plaintext: text,
  keyVersion: versionIdSchema,
  ciphertext: Type.Optional(text),
  rewrappedKeyVersion: Type.Optional(versionIdSchema),
})
export const rewrapReply = Type.Object({
  ciphertext: text,
  keyVersion: versionIdSchema,
  rewrappedKeyVersion: versionIdSchema,
})

/** Terraform's data source asks with `limit=0` and means the default. */
export const page = {
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: keyPageMax })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: pageOffsetMax })),
} as const

export const keyFilter = {
  /** The Go client sends one list with commas, the Node client repeats the parameter. */
  state: Type.Optional(Type.Array(text)),
  extractable: Type.Optional(Type.Boolean()),
  sort: Type.Optional(text),
  search: Type.Optional(text),
  filter: Type.Optional(text),
} as const
