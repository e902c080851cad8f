// The part of PKCS#11 (OASIS, "PKCS #11 Specification", version 3.1) that sealing needs, on the library pkcs11js, which
// is there only where it could be compiled: it is an optional dependency, and its types are written down here.

import { createRequire } from 'node:module'
import { Fault } from '#base/fault.ts'

type Handle = Uint8Array
export interface Attribute {
  readonly type: number
  readonly value?: number | boolean | string | Uint8Array
}
export interface Mechanism {
  readonly mechanism: number
  readonly parameter?: unknown
}

export interface Cryptoki {
  load(path: string): void
  close(): void
  C_Initialize(options: { flags: number }): void
  C_Finalize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  C_GetTokenInfo(slot: Handle): { readonly label: string; readonly serialNumber: string }
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_Login(session: Handle, user: number, pin: string): void
  C_GenerateKey(session: Handle, mechanism: Mechanism, template: readonly Attribute[]): Handle
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void
  C_FindObjects(session: Handle, most: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(session: Handle, object: Handle, template: readonly Attribute[]): { value: Uint8Array }[]
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Encrypt(session: Handle, plaintext: Uint8Array, into: Uint8Array): Uint8Array
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Decrypt(session: Handle, ciphertext: Uint8Array, into: Uint8Array): Uint8Array
}

/** PKCS#11 numbers, as the header files of the standard have them. */
export const ck = {
  flagOsLocking: 0x02,
  flagRwSession: 0x02,
  flagSerialSession: 0x04,
  user: 1,
  secretKey: 4,
  aes: 0x1f,
  class: 0x00,
  token: 0x01,
  private: 0x02,
  label: 0x03,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  encrypt: 0x104,
  decrypt: 0x105,
  wrap: 0x106,
  unwrap: 0x107,
  valueBytes: 0x161,
  extractable: 0x162,
  neverExtractable: 0x164,
  alwaysSensitive: 0x165,
  aesKeyGen: 0x1080,
  aesGcm: 0x1087,
} as const

/** Return values that speak of the session or the device and not of the bytes: worth a new session, once. */
const lostSession: ReadonlySet<number> = new Set([
  0x30, // CKR_DEVICE_ERROR
  0x32, // CKR_DEVICE_REMOVED
  0x60, // CKR_KEY_HANDLE_INVALID
  0x82, // CKR_OBJECT_HANDLE_INVALID
  0x90, // CKR_OPERATION_ACTIVE: of a call that failed half-way
  0xb0, // CKR_SESSION_CLOSED
  0xb3, // CKR_SESSION_HANDLE_INVALID
  0xe0, // CKR_TOKEN_NOT_PRESENT
  0x101, // CKR_USER_NOT_LOGGED_IN
  0x190, // CKR_CRYPTOKI_NOT_INITIALIZED
])

export const returnValue = (error: unknown): number | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null

export const isLostSession = (error: unknown): boolean => lostSession.has(returnValue(error) ?? -1)
export const alreadyInitialized = 0x191
export const alreadyLoggedIn = 0x100

interface Library {
  readonly PKCS11: new () => Cryptoki
  readonly CK_PARAMS_AES_GCM: number
}

export interface LoadedCryptoki {
  readonly module: Cryptoki
  readonly gcmParameterType: number
}

/** Loads the library and the operator's module. One sentence for each way in which that can end. */
export function loadCryptoki(modulePath: string): LoadedCryptoki {
  const library = requireLibrary()
  const module = new library.PKCS11()
  try {
    module.load(modulePath)
  } catch (cause) {
    throw new Fault('unavailable', `PKCS#11 module ${modulePath} cannot be loaded`, { cause })
  }
  try {
    module.C_Initialize({ flags: ck.flagOsLocking })
  } catch (cause) {
    if (returnValue(cause) !== alreadyInitialized) {
      throw new Fault('unavailable', `PKCS#11 module ${modulePath} does not start`, { cause })
    }
  }
  return { module, gcmParameterType: library.CK_PARAMS_AES_GCM }
}

function requireLibrary(): Library {
  try {
    // The package is CommonJS; what it offers of PKCS#11 is described above.
    return createRequire(import.meta.url)('pkcs11js') as Library
  } catch (cause) {
    const remedy = 'install a C++ compiler, make and python3, and run npm ci again'
    throw new Fault('unavailable', `the package pkcs11js is not there, since it could not be built: ${remedy}`, {
      cause,
    })
  }
}
