// Import tokens: an RSA key pair and a nonce, one of each to an instance, so that material reaches us unseen on the way.
// The private half is sealed like root key material and opens nothing but what was made for its token.
// Source: Key Protect, "Creating import tokens", "Importing root keys"; docs/formats.md, "Import token".

import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { importKeyPairsMax, importNonceBytes, importRetrievalsMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { assert } from '#base/assert.ts'
import { generateImportKeyPair, openNonce, openTransport } from '#crypto/secure-import.ts'
import type { OaepHash } from '#crypto/secure-import.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant } from '#iam/port.ts'
import type { Database, Reads } from '#store/database.ts'
import { noSuchInstance } from './access.ts'
import type { Access, Asked } from './access.ts'
import { base64, invalidField, parseBase64 } from './base64.ts'
import type { Transport } from './key-request.ts'
import { importTokenPurpose, putImportToken, selectImportToken, setRetrievalsLeft } from './tables-instance.ts'
import type { ImportTokenRow } from './tables-instance.ts'
import { instanceIdOf } from './tables-rows.ts'
import { selectPlace } from './tables-service.ts'
import { importTokenSeconds } from './waits.ts'

export interface ImportTokenRequest {
  readonly expirationSeconds: number
  readonly maxAllowedRetrievals: number
}

/** A token as it is handed out; `nonce` in base64. */
export interface ShownImportToken {
  readonly token: ImportTokenRow
  readonly nonce: string
}

export type ImportTokens = ReturnType<typeof makeImportTokens>

export function makeImportTokens(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly access: Access
}) {
  const { database, outbox, clock, random, sealer, access } = parts
  let making = 0

  /** On its thread, one caller at a time per pair; whoever comes when many wait is told to come again. */
  async function keyPair() {
    if (making >= importKeyPairsMax) throw new Fault('over_limit', 'too many import tokens are being made')
    making++
    try {
      return await generateImportKeyPair()
    } finally {
      making--
    }
  }

  async function create(asked: Asked, request: ImportTokenRequest): Promise<ImportTokenRow> {
    const { grant, instance } = await access.instance(asked, 'kms.importtoken.create')
    const pair = await keyPair()
    using privateKey = pair.privateKey
    const id = makeUuid(random)
    const createdAt = clock.now()
    const sealed = seal(sealer, instance.id, id, random.bytes(importNonceBytes), privateKey)
    const token: ImportTokenRow = {
      id,
      publicKey: pair.publicKey,
      sealed,
      createdAt,
      expiresAt: createdAt + request.expirationSeconds * 1000,
      retrievalsMax: request.maxAllowedRetrievals,
      retrievalsLeft: request.maxAllowedRetrievals,
    }
    await database.transaction(async (tx) => {
      if (!(await selectPlace(tx, instance.id, null))) throw noSuchInstance()
      await putImportToken(tx, grant, token)
      await outbox.append(tx, {
        type: 'kms.import-token.created',
        ...told(asked, instance),
        expiresAt: token.expiresAt,
        maxAllowedRetrievals: token.retrievalsMax,
      })
    })
    return token
  }

  /** Hands it out, which is counted. */
  async function get(asked: Asked): Promise<ShownImportToken> {
    const { grant, instance } = await access.instance(asked, 'kms.importtoken.read')
    return await database.transaction(async (tx) => {
      const token = await selectImportToken(tx, grant)
      if (!token)
        throw new Fault('not_found', 'the instance has no import token', { reason: 'IMPORT_TOKEN_NOT_FOUND_ERR' })
      if (token.expiresAt <= clock.now()) throw expired('the import token has expired')
      if (token.retrievalsLeft === 0) throw expired('the import token was handed out as often as it may be')
      const left = token.retrievalsLeft - 1
      await setRetrievalsLeft(tx, grant, left)
      const facts = { ...told(asked, instance), remainingRetrievals: left }
      await outbox.append(tx, { type: 'kms.import-token.retrieved', ...facts })
      using opened = open(sealer, instance.id, token)
      return { token: { ...token, retrievalsLeft: left }, nonce: base64(opened.nonce) }
    })
  }

  return { create, get }
}

/**
 * Opens material that was encrypted for the instance's token and proves that it was: the nonce, encrypted with the very
 * material, is the token's. The material is owned by the caller.
 */
export async function openWithToken(request: {
  readonly reads: Reads
  readonly sealer: Sealer
  readonly grant: Grant
  readonly payload: string
  readonly transport: Transport
  readonly now: number
}): Promise<SecretBytes> {
  const { reads, sealer, grant, payload, transport, now } = request
  const ciphertext = parseBase64(payload, 'payload')
  const encryptedNonce = parseBase64(transport.encryptedNonce, 'encryptedNonce')
  const iv = parseBase64(transport.iv, 'iv')
  if (iv.length !== 12 && iv.length !== 16) throw invalidField('iv', 'iv must have 12 bytes, or 16 under AES-CBC')
  const token = await selectImportToken(reads, grant)
  if (!token) throw expired('the instance has no import token')
  if (token.expiresAt <= now) throw expired('the import token has expired')
  using opened = open(sealer, instanceIdOf(grant), token)
  const material = openTransport({
    ciphertext,
    privateKey: opened.privateKey,
    oaepHash: transport.oaepHash ?? usualHash(grant),
  })
  try {
    const nonce = openNonce({ encryptedNonce, iv, material })
    if (nonce.length === opened.nonce.length && timingSafeEqual(nonce, opened.nonce)) return material
    throw new Fault('invalid', 'encryptedNonce holds another nonce than the import token', {
      reason: 'INCORRECT_NONCE_ERR',
    })
  } catch (error) {
    material[Symbol.dispose]()
    throw error
  }
}

/** Key Protect takes SHA-256; Hyper Protect Crypto Services has always taken SHA-1, and clients of it do not say so. */
const usualHash = (grant: Grant): OaepHash => (grant.target.serviceName === 'hs-crypto' ? 'sha1' : 'sha256')

const told = (asked: Asked, instance: { readonly id: string; readonly accountId: string }) => ({
  accountId: instance.accountId,
  initiatorId: asked.caller.iamId,
  instanceId: instance.id,
})

export function importTokenRequest(body: {
  readonly expiration?: number
  readonly maxAllowedRetrievals?: number
}): ImportTokenRequest {
  const { min, max, otherwise } = importTokenSeconds
  return {
    expirationSeconds: whole('expiration', body.expiration ?? otherwise, min, max),
    maxAllowedRetrievals: whole('maxAllowedRetrievals', body.maxAllowedRetrievals ?? 1, 1, importRetrievalsMax),
  }
}

function whole(field: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidField(field, `${field} must be a whole number from ${min} to ${max}`)
}

const version = 1

/** docs/formats.md, "Import token": version, nonce, private key, sealed for the row. */
function seal(sealer: Sealer, instanceId: string, id: string, nonce: Uint8Array, privateKey: SecretBytes): Uint8Array {
  assert(nonce.length === importNonceBytes, 'a nonce of an import token has one length')
  using plain = SecretBytes.own(new Uint8Array(new ArrayBuffer(1 + importNonceBytes + privateKey.byteCount)))
  return plain.use((bytes) => {
    bytes[0] = version
    bytes.set(nonce, 1)
    privateKey.use((der) => bytes.set(der, 1 + importNonceBytes))
    return sealer.seal(importTokenPurpose(instanceId, id), bytes)
  })
}

function open(sealer: Sealer, instanceId: string, token: ImportTokenRow) {
  using plain = SecretBytes.own(sealer.open(importTokenPurpose(instanceId, token.id), token.sealed))
  return plain.use((bytes) => {
    assert(bytes[0] === version, 'a sealed import token begins with its version')
    const privateKey = SecretBytes.copyOf(bytes.subarray(1 + importNonceBytes))
    return {
      nonce: bytes.slice(1, 1 + importNonceBytes),
      privateKey,
      [Symbol.dispose]: () => privateKey[Symbol.dispose](),
    }
  })
}

const expired = (message: string): Fault => new Fault('conflict', message, { reason: 'IMPORT_TOKEN_EXPIRED_ERR' })
