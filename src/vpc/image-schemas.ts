// Images on the wire. Source: VPC API, "Image", "ImagePrototype", "ImagePatch".

import { Type } from 'typebox'
import { operatingSystemReply } from './machine-schemas.ts'
import {
  closed,
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  pageReply,
  paged,
  reason,
  text,
  when,
} from './schemas.ts'
import { allowedUse, allowedUseReply } from './volume-schemas.ts'

const moments = {
  deprecation_at: Type.Optional(Type.Union([when, Type.Null()])),
  obsolescence_at: Type.Optional(Type.Union([when, Type.Null()])),
}

/** Of a file, or of a volume: which it is, image-prototype.ts decides. */
export const imagePrototype = Type.Object(
  {
    ...moments,
    name: Type.Optional(Type.String()),
    resource_group: Type.Optional(groupIdentity),
    allowed_use: allowedUse,
    encryption_key: Type.Optional(Type.Object({ crn: text }, closed)),
    encrypted_data_key: Type.Optional(text),
    file: Type.Optional(Type.Object({ href: Type.String({ maxLength: 2048 }) }, closed)),
    operating_system: Type.Optional(nameIdentity),
    source_volume: Type.Optional(Type.Object(idIdentity.properties, closed)),
  },
  closed,
)

export const imagePatch = Type.Object(
  { ...moments, name: Type.Optional(Type.String()), allowed_use: allowedUse },
  closed,
)

export const imageQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  status: Type.Optional(text),
  visibility: Type.Optional(Type.Enum(['private', 'public'])),
  owner_type: Type.Optional(Type.Enum(['provider', 'user'])),
  user_data_format: Type.Optional(text),
  'remote.account.id': Type.Optional(text),
})

const named = { crn: Type.String(), href: Type.String(), id: Type.String(), name: Type.String() }

export const imageReply = Type.Object({
  ...named,
  allowed_use: Type.Optional(allowedUseReply),
  catalog_offering: Type.Object({ managed: Type.Boolean() }),
  created_at: when,
  deprecation_at: Type.Optional(when),
  encryption: Type.Enum(['none', 'user_managed']),
  encryption_key: Type.Optional(Type.Object({ crn: Type.String() })),
  file: Type.Object({
    checksums: Type.Optional(Type.Object({ sha256: Type.String() })),
    size: Type.Optional(Type.Integer()),
  }),
  minimum_provisioned_size: Type.Optional(Type.Integer()),
  obsolescence_at: Type.Optional(when),
  operating_system: operatingSystemReply,
  resource_group: groupReference,
  resource_type: Type.Literal('image'),
  source_volume: Type.Optional(
    Type.Object({
      ...named,
      resource_type: Type.Literal('volume'),
      deleted: Type.Optional(Type.Object({ more_info: Type.String() })),
    }),
  ),
  status: Type.Enum(['available', 'deleting', 'deprecated', 'failed', 'obsolete', 'pending', 'unusable']),
  status_reasons: Type.Array(reason),
  user_data_format: Type.String(),
  visibility: Type.Enum(['private', 'public']),
})
export const imageCollection = pageReply({ images: Type.Array(imageReply) })
