// A master key in a PKCS#11 token. Root key material and every other secret of the database goes to the token to be
// sealed and comes back from it opened, one call each (docs/decisions, "The master key in a token"): the key that seals
// is generated inside, is sensitive and not extractable, and never leaves. Records are version 3 (docs/formats.md).

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import {
  bindNamed,
  masterKeyIdBytes,
  recordHead,
  recordHeadBytes,
  sealedRecordRefusal,
  sealedUnder,
} from '#crypto/sealed-record.ts'
import { alreadyLoggedIn, ck, isLostSession, loadCryptoki, returnValue } from './cryptoki.ts'
import type { Attribute, LoadedCryptoki, Mechanism } from './cryptoki.ts'
import { readSecretFile } from './key-file.ts'
import type { MasterKey, MasterKeyProvider, MasterKeyRecord, TokenRecord } from './master-key.ts'

export interface TokenSource {
  readonly modulePath: string
  readonly tokenLabel: string
  readonly pin: { readonly text: string } | { readonly path: string }
}

const nonceBytes = 12
const tagBytes = 16
const checkPurpose = 'master-key-check'
const keyLabel = 'keyward master key'

export function token(source: TokenSource, random: Random): MasterKeyProvider {
  const link = makeLink(source)

  const open = (id: string, check: string | null): MasterKey | null => {
    if (!link.has(id)) return null
    const sealer = makeTokenSealer(link, id, random)
    const proof = check ?? Buffer.from(sealer.seal(checkPurpose, Buffer.from(id, 'hex'))).toString('base64')
    const record: TokenRecord = { kind: 'pkcs11', id, check: proof }
    const proven = Buffer.from(sealer.open(checkPurpose, Buffer.from(proof, 'base64'))).toString('hex')
    if (proven !== id) throw new Fault('unavailable', `${link.name} holds another key under the id of the master key`)
    return { ...sealer, record, [Symbol.dispose]: () => {} }
  }

  const make = async (): Promise<MasterKey> => {
    const id = Buffer.from(random.bytes(masterKeyIdBytes)).toString('hex')
    link.generate(id)
    const key = open(id, null)
    assert(key, 'a key that was generated is found')
    return key
  }

  return {
    name: link.name,
    kind: 'pkcs11',
    async find(record) {
      if (record.kind !== 'pkcs11') return null
      const key = open(record.id, record.check)
      if (key) return key
      throw new Fault('unavailable', `${link.name} does not hold the master key ${record.id} of this data folder`)
    },
    first: make,
    fresh: make,
    settle: async (_record: MasterKeyRecord) => {},
  }
}

type Handle = Uint8Array

interface Link {
  readonly name: string
  has(id: string): boolean
  generate(id: string): void
  encrypt(id: string, nonce: Uint8Array, associatedData: Uint8Array, plaintext: Uint8Array): Uint8Array
  decrypt(id: string, nonce: Uint8Array, associatedData: Uint8Array, ciphertext: Uint8Array): Uint8Array
}

function makeTokenSealer(link: Link, id: string, random: Random): Pick<MasterKey, 'seal' | 'open'> {
  const head = recordHead(3, Buffer.from(id, 'hex'))
  return {
    seal(purpose, plaintext) {
      assert(plaintext.length > 0, 'tokens seal no empty records')
      const nonce = random.bytes(nonceBytes)
      const ciphertext = link.encrypt(id, nonce, bindNamed(head, purpose), plaintext)
      assert(ciphertext.length === plaintext.length + tagBytes, 'a token gives ciphertext and tag')
      return new Uint8Array(Buffer.concat([head, nonce, ciphertext]))
    },
    open(purpose, sealed) {
      const body = recordHeadBytes + nonceBytes
      if (sealed[0] !== 3 || sealed.length < body + tagBytes || sealedUnder(sealed) !== id) throw sealedRecordRefusal()
      return link.decrypt(id, sealed.subarray(recordHeadBytes, body), bindNamed(head, purpose), sealed.subarray(body))
    },
  }
}

/** One session, opened when it is needed and again when it has been lost. */
function makeLink(source: TokenSource): Link {
  const name = `PKCS#11 token ${JSON.stringify(source.tokenLabel)}`
  let loaded: LoadedCryptoki | null = null
  let session: Handle | null = null
  const keys = new Map<string, Handle>()

  const cryptoki = (): LoadedCryptoki => (loaded ??= loadCryptoki(source.modulePath))

  function connect(): Handle {
    if (session) return session
    const { module } = cryptoki()
    const slot = module
      .C_GetSlotList(true)
      .find((candidate) => module.C_GetTokenInfo(candidate).label.trimEnd() === source.tokenLabel)
    if (!slot) throw new Fault('unavailable', `${name} is not there`)
    const opened = module.C_OpenSession(slot, ck.flagSerialSession | ck.flagRwSession)
    const pin = 'text' in source.pin ? new TextEncoder().encode(source.pin.text) : readSecretFile(source.pin.path)
    try {
      // The library takes the PIN as a text: a copy that cannot be wiped, of what opens nothing without the token.
      module.C_Login(opened, ck.user, Buffer.from(pin).toString('utf8').trimEnd())
    } catch (cause) {
      if (returnValue(cause) !== alreadyLoggedIn) throw new Fault('unavailable', `${name} refuses the PIN`, { cause })
    } finally {
      pin.fill(0)
    }
    session = opened
    return opened
  }

  function once<T>(work: (session: Handle) => T): T {
    try {
      return work(connect())
    } catch (cause) {
      if (returnValue(cause) !== null && !isLostSession(cause)) {
        throw new Fault('unavailable', `${name} does not do what it was asked`, { cause })
      }
      if (!isLostSession(cause)) throw cause
    }
    forget()
    try {
      return work(connect())
    } catch (cause) {
      throw returnValue(cause) === null ? cause : new Fault('unavailable', `${name} does not answer`, { cause })
    }
  }

  /** A token that was pulled and put back is asked anew: another session, the PIN, the key. */
  function forget(): void {
    const lost = session
    session = null
    keys.clear()
    try {
      if (lost) cryptoki().module.C_CloseSession(lost)
    } catch {
      // It had gone already.
    }
  }

  function find(opened: Handle, id: string): Handle | null {
    const known = keys.get(id)
    if (known) return known
    const { module } = cryptoki()
    module.C_FindObjectsInit(opened, [
      { type: ck.class, value: ck.secretKey },
      { type: ck.id, value: Buffer.from(id, 'hex') },
    ])
    const found = module.C_FindObjects(opened, 2)
    module.C_FindObjectsFinal(opened)
    const [key] = found
    if (!key) return null
    if (found.length > 1) throw new Fault('unavailable', `${name} holds two keys with the id ${id}`)
    requireHeldInside(opened, key)
    keys.set(id, key)
    return key
  }

  /** PKCS#11, "Secret key objects": what the token says of the key, not what we asked for when it was made. */
  function requireHeldInside(opened: Handle, key: Handle): void {
    const types = [ck.sensitive, ck.alwaysSensitive, ck.extractable, ck.neverExtractable]
    const values = cryptoki()
      .module.C_GetAttributeValue(
        opened,
        key,
        types.map((type) => ({ type })),
      )
      .map(({ value }) => value[0] === 1)
    const [sensitive, alwaysSensitive, extractable, neverExtractable] = values
    if (sensitive && alwaysSensitive && !extractable && neverExtractable) return
    throw new Fault('unavailable', `the key in ${name} could leave it, or could have: it must be generated inside`)
  }

  const gcm = (nonce: Uint8Array, associatedData: Uint8Array): Mechanism => ({
    mechanism: ck.aesGcm,
    parameter: {
      type: cryptoki().gcmParameterType,
      iv: nonce,
      ivBits: nonce.length * 8,
      aad: associatedData,
      tagBits: tagBytes * 8,
    },
  })

  const need = (opened: Handle, id: string): Handle => {
    const key = find(opened, id)
    if (!key) throw new Fault('unavailable', `${name} no longer holds the master key ${id}`)
    return key
  }

  return {
    name,
    has: (id) => once((opened) => find(opened, id) !== null),
    generate: (id) =>
      once((opened) => {
        cryptoki().module.C_GenerateKey(opened, { mechanism: ck.aesKeyGen }, template(id))
      }),
    encrypt: (id, nonce, associatedData, plaintext) =>
      once((opened) => {
        const { module } = cryptoki()
        module.C_EncryptInit(opened, gcm(nonce, associatedData), need(opened, id))
        return module.C_Encrypt(opened, plaintext, Buffer.alloc(plaintext.length + tagBytes))
      }),
    decrypt: (id, nonce, associatedData, ciphertext) =>
      once((opened) => {
        const { module } = cryptoki()
        module.C_DecryptInit(opened, gcm(nonce, associatedData), need(opened, id))
        const into = Buffer.from(new ArrayBuffer(ciphertext.length))
        try {
          const plaintext = module.C_Decrypt(opened, ciphertext, into)
          const own = new Uint8Array(new ArrayBuffer(plaintext.length))
          own.set(plaintext)
          return own
        } catch (cause) {
          if (isLostSession(cause)) throw cause
          // Modules name a wrong tag in several ways, SoftHSM by CKR_GENERAL_ERROR.
          throw sealedRecordRefusal()
        } finally {
          into.fill(0)
        }
      }),
  }
}

const template = (id: string): readonly Attribute[] => [
  { type: ck.class, value: ck.secretKey },
  { type: ck.keyType, value: ck.aes },
  { type: ck.valueBytes, value: 32 },
  { type: ck.label, value: keyLabel },
  { type: ck.id, value: Buffer.from(id, 'hex') },
  { type: ck.token, value: true },
  { type: ck.private, value: true },
  { type: ck.sensitive, value: true },
  { type: ck.extractable, value: false },
  { type: ck.encrypt, value: true },
  { type: ck.decrypt, value: true },
  { type: ck.wrap, value: false },
  { type: ck.unwrap, value: false },
]
