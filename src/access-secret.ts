// The secret from which the data plane derives what admits a client to an attachment.

import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Database } from '#store/database.ts'
import { sealedMetaRows, sealedSecret } from './sealed-meta.ts'

const name = 'disk-access-secret'
const secretBytes = 32

export const accessSecret = (database: Database, sealer: Sealer, random: Random): Promise<Uint8Array> =>
  sealedSecret(database, sealer, name, () => random.bytes(secretBytes))

export const accessSecretRows = sealedMetaRows(name)
