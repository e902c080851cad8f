// What a backup says of itself: the head in the clear, enough to find the right master key, and inside the seal the
// manifest, against which the database that comes out is compared. docs/formats.md, "Backup".

import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Check } from 'typebox/value'
import { Fault } from '#base/fault.ts'

const closed = { additionalProperties: false }

const head = Type.Object(
  {
    id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    createdAt: Type.String(),
    /** The record of the master key, which parseRecord() of master-key/ reads. */
    masterKey: Type.Unknown(),
    /** Base64: the key of this file, sealed under that master key. */
    sealedKey: Type.String({ pattern: '^[A-Za-z0-9+/]+={0,2}$', maxLength: 1000 }),
  },
  closed,
)

const manifest = Type.Object(
  {
    program: Type.String(),
    createdAt: Type.String(),
    databaseBytes: Type.Integer({ minimum: 0 }),
    databaseSha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    rows: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
  },
  closed,
)

export type BackupHead = Static<typeof head>
export type BackupManifest = Static<typeof manifest>

export const formatJson = (value: BackupHead | BackupManifest): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(value))

export const parseHead = (bytes: Uint8Array): BackupHead => parse(head, bytes)
export const parseManifest = (bytes: Uint8Array): BackupManifest => parse(manifest, bytes)

function parse<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Static<Schema> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw new Fault('unprocessable', 'the backup is damaged or incomplete', { cause })
  }
  if (Check(schema, value)) return value
  throw new Fault('unprocessable', 'the backup is damaged or incomplete')
}
