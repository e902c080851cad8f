// The RSA keys that sign tokens. The first is made when there is none; its private half rests sealed by the master key.
// Several may be there at once: the newest signs, all verify, so that tokens outlive a rotation.

import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { insertSigningKey, readSigningKeys } from './tables-signing-keys.ts'
import type { SigningKeyRow } from './tables-signing-keys.ts'

/** A key of GET /identity/keys (RFC 7517, RFC 7518 section 6.3.1). */
export interface PublicJwk {
  readonly kty: string
  readonly n: string
  readonly e: string
  readonly alg: 'RS256'
  readonly use: 'sig'
  readonly kid: string
}

export interface SigningKeys {
  /** The newest. */
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicJwks: readonly PublicJwk[]
  publicKey(kid: string): KeyObject | null
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly sealer: Sealer
  readonly log: Log
}

const modulusBits = 2048
const purposeOf = (kid: string): string => `iam.signing-key/${kid}`

export async function openSigningKeys(parts: Parts): Promise<SigningKeys> {
  if ((await readSigningKeys(parts.database.reads)).length === 0) await makeFirst(parts)
  const rows = await readSigningKeys(parts.database.reads)
  const [newest] = rows
  assert(newest, 'there is a signing key after the first was made')
  const publicJwks = rows.map(publicJwkOf)
  const publicKeys = new Map(publicJwks.map((jwk) => [jwk.kid, createPublicKey({ key: { ...jwk }, format: 'jwk' })]))
  return {
    kid: newest.kid,
    privateKey: openPrivate(parts.sealer, newest),
    publicJwks,
    publicKey: (kid) => publicKeys.get(kid) ?? null,
  }
}

/** Two processes may start at once: the key that is in the table first stays, the other is forgotten. */
async function makeFirst({ database, outbox, clock, sealer, log }: Parts): Promise<void> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: modulusBits })
  const { kty, n, e } = await exportJWK(pair.publicKey)
  assert(kty && n && e, 'an RSA key has a modulus and an exponent')
  const kid = await calculateJwkThumbprint({ kty, n, e })
  const jwk: PublicJwk = { kty, n, e, alg: 'RS256', use: 'sig', kid }
  const plain = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const sealed = sealer.seal(purposeOf(kid), plain)
  plain.fill(0)
  await database.transaction(async (tx) => {
    if ((await readSigningKeys(tx)).length > 0) return
    const row = { kid, public_jwk: JSON.stringify(jwk), sealed_private: sealed, created_at: clock.now() }
    await insertSigningKey(tx, row)
    await outbox.append(tx, { type: 'iam.signing-key.created', accountId: '', kid })
  })
  log.info({ kid }, 'a key that signs tokens was made')
}

function openPrivate(sealer: Sealer, row: SigningKeyRow): KeyObject {
  const plain = sealer.open(purposeOf(row.kid), row.sealed_private)
  try {
    return createPrivateKey({
      key: Buffer.from(plain.buffer, plain.byteOffset, plain.length),
      format: 'der',
      type: 'pkcs8',
    })
  } finally {
    plain.fill(0)
  }
}

// makeFirst() wrote it.
const publicJwkOf = (row: SigningKeyRow): PublicJwk => JSON.parse(row.public_jwk) as PublicJwk
