// Shapes of the wire that more than one operation has. What a schema cannot say in the documented words (lengths, dates,
// base64, how many resources) is checked in key-request.ts, so that it fails with the documented code.
// Source: Key Protect API v2, "Key", "Key actions" and "Registrations".

import { Type } from 'typebox'
import { keyPageMax } from '#base/limits.ts'

export const mediaType = (kind: 'key' | 'registration'): string => `application/vnd.ibm.kms.${kind}+json`

const text = Type.String()
const closed = { additionalProperties: false } as const

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
    dualAuthDelete: Type.Optional(Type.Object({ enabled: Type.Boolean() })),
    deleted: Type.Optional(Type.Boolean()),
    deletionDate: Type.Optional(text),
    deletedBy: Type.Optional(text),
    restoreAllowed: Type.Optional(Type.Boolean()),
    purgeAllowed: Type.Optional(Type.Boolean()),
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

const metadata = Type.Object({
  collectionType: text,
  collectionTotal: Type.Integer(),
  totalCount: Type.Optional(Type.Integer()),
})

export const keyCollection = Type.Object({ metadata, resources: Type.Array(keySchema) })
export const versionCollection = Type.Object({ metadata, resources: Type.Array(versionSchema) })
export const registrationCollection = Type.Object({ metadata, resources: Type.Array(registrationSchema) })

/** Clients send the name of this field in the case they like: the Go client's is `Tags`. */
const anyCaseTags = { '^[tT][aA][gG][sS]$': Type.Array(text) }

export const newKeyCollection = Type.Object(
  {
    metadata: Type.Object({ collectionType: text, collectionTotal: Type.Integer() }, closed),
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
        },
        { ...closed, patternProperties: anyCaseTags },
      ),
    ),
  },
  closed,
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
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
} as const

export const keyFilter = {
  /** The Go client sends one list with commas, the Node client repeats the parameter. */
  state: Type.Optional(Type.Array(text)),
  extractable: Type.Optional(Type.Boolean()),
  sort: Type.Optional(text),
  search: Type.Optional(text),
  filter: Type.Optional(text),
} as const
