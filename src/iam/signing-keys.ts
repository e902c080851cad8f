// The RSA keys that sign tokens. The first is made when there is none; private halves rest sealed by the master key. They
// are replaced every month and whenever an operator says so; signing-key-order.ts says which signs and which verify.
// Several replicas share the table: each reads it again for a key id that it does not know, and every half minute.

import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { signingKeyLeadMs, signingKeysReadAgainMs, signingKeysReadMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { isRotationDue, signerOf, verifyingOf } from './signing-key-order.ts'
import { deleteSigningKey, insertSigningKey, readSigningKeys, signingKeyPurpose } from './tables-signing-keys.ts'
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

export interface Signer {
  readonly kid: string
  readonly privateKey: KeyObject
}

export interface SigningKeyState {
  readonly kid: string
  readonly state: 'published' | 'signing' | 'verifying'
  readonly createdAt: number
  readonly signsFrom: number
}

export interface SigningKeys {
  signer(): Promise<Signer>
  /** As the table has them now: whoever is told of a key may ask any replica for it. */
  publicJwks(): Promise<readonly PublicJwk[]>
  publicKey(kid: string): Promise<KeyObject | null>
  list(): Promise<readonly SigningKeyState[]>
  /** A new key, which signs when it has been public for long enough. Fault 'conflict' while another one waits for that. */
  rotate(initiatorId: string): Promise<SigningKeyState>
  /** What time does: a key that is due is made, one whose tokens have all ended is deleted. */
  follow(): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly sealer: Sealer
  readonly log: Log
}

interface Known {
  readonly rows: readonly SigningKeyRow[]
  readonly readAtMs: number
  /** Those that have verified something since. */
  readonly publicKeys: Map<string, KeyObject>
}

const modulusBits = 2048

export async function openSigningKeys(parts: Parts): Promise<SigningKeys> {
  const { database, clock, sealer } = parts
  if ((await readSigningKeys(database.reads)).length === 0) await add(parts, null, (rows) => rows.length === 0)
  const opened = new Map<string, KeyObject>()
  let known = await read()
  // A master key that does not open them is found out at the start.
  open(known)

  async function read(): Promise<Known> {
    return { rows: await readSigningKeys(database.reads), readAtMs: clock.monotonicMs(), publicKeys: new Map() }
  }

  async function fresh(afterMs: number): Promise<Known> {
    if (clock.monotonicMs() >= known.readAtMs + afterMs) known = await read()
    return known
  }

  function open({ rows }: Known): Signer {
    const row = signerOf(rows, clock.now())
    assert(row, 'there is a signing key after the first was made')
    const privateKey = opened.get(row.kid) ?? openPrivate(sealer, row)
    // One is enough: the others sign no more, or not yet.
    opened.clear()
    opened.set(row.kid, privateKey)
    return { kid: row.kid, privateKey }
  }

  const find = ({ rows }: Known, kid: string): SigningKeyRow | undefined =>
    verifyingOf(rows, clock.now()).find((row) => row.kid === kid)

  return {
    signer: async () => open(await fresh(signingKeysReadMs)),

    async publicJwks() {
      known = await read()
      return verifyingOf(known.rows, clock.now()).map(publicJwkOf)
    },

    async publicKey(kid) {
      const row = find(known, kid) ?? find(await fresh(signingKeysReadAgainMs), kid)
      if (!row) return null
      const key = known.publicKeys.get(kid) ?? createPublicKey({ key: { ...publicJwkOf(row) }, format: 'jwk' })
      known.publicKeys.set(kid, key)
      return key
    },

    async list() {
      const { rows } = (known = await read())
      const now = clock.now()
      const signs = signerOf(rows, now)
      return verifyingOf(rows, now).map((row) => stateOf(row, row === signs ? 'signing' : waits(row, now)))
    },

    async rotate(initiatorId) {
      const row = await add(parts, initiatorId, (rows) => rows.every(({ signs_from }) => signs_from <= clock.now()))
      if (!row) throw new Fault('conflict', 'a new key has been published already and waits to sign')
      known = await read()
      return stateOf(row, 'published')
    },

    async follow() {
      const now = clock.now()
      const { rows } = (known = await read())
      if (isRotationDue(rows, now)) await add(parts, null, (inTable) => isRotationDue(inTable, clock.now()))
      const verifying = new Set(verifyingOf(rows, now))
      for (const row of rows) if (!verifying.has(row)) await remove(parts, row.kid)
      known = await read()
    },
  }
}

const waits = (row: SigningKeyRow, now: number) => (row.signs_from > now ? 'published' : 'verifying')

const stateOf = (row: SigningKeyRow, state: SigningKeyState['state']): SigningKeyState => ({
  kid: row.kid,
  state,
  createdAt: row.created_at,
  signsFrom: row.signs_from,
})

/** Two processes may want one at once: what the table says in the transaction decides, and one of the two is forgotten. */
async function add(
  parts: Parts,
  initiatorId: string | null,
  isWanted: (rows: readonly SigningKeyRow[]) => boolean,
): Promise<SigningKeyRow | null> {
  const { database, outbox, clock, sealer, log } = parts
  const { kid, jwk, sealed } = await generate(sealer)
  const added = await database.transaction(async (tx) => {
    const rows = await readSigningKeys(tx)
    if (!isWanted(rows)) return null
    const now = clock.now()
    // The first has nobody before it who could sign meanwhile.
    const signsFrom = rows.length === 0 ? now : now + signingKeyLeadMs
    const row = { kid, public_jwk: JSON.stringify(jwk), sealed_private: sealed, created_at: now, signs_from: signsFrom }
    await insertSigningKey(tx, row)
    await outbox.append(tx, {
      type: 'iam.signing-key.created',
      accountId: '',
      ...(initiatorId !== null && { initiatorId }),
      kid,
    })
    return row
  })
  if (added) log.info({ kid, signsFrom: added.signs_from }, 'a key that signs tokens was made')
  return added
}

async function generate(sealer: Sealer): Promise<{ kid: string; jwk: PublicJwk; sealed: Uint8Array }> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: modulusBits })
  const { kty, n, e } = await exportJWK(pair.publicKey)
  assert(kty && n && e, 'an RSA key has a modulus and an exponent')
  const kid = await calculateJwkThumbprint({ kty, n, e })
  const plain = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const sealed = sealer.seal(signingKeyPurpose(kid), plain)
  plain.fill(0)
  return { kid, jwk: { kty, n, e, alg: 'RS256', use: 'sig', kid }, sealed }
}

async function remove({ database, outbox, log }: Parts, kid: string): Promise<void> {
  await database.transaction(async (tx: Tx) => {
    await deleteSigningKey(tx, kid)
    await outbox.append(tx, { type: 'iam.signing-key.deleted', accountId: '', kid })
  })
  log.info({ kid }, 'a key that no token needs any more was deleted')
}

function openPrivate(sealer: Sealer, row: SigningKeyRow): KeyObject {
  const plain = sealer.open(signingKeyPurpose(row.kid), row.sealed_private)
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

// generate() made it.
const publicJwkOf = (row: SigningKeyRow): PublicJwk => JSON.parse(row.public_jwk) as PublicJwk
