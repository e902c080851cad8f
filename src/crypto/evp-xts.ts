// The XTS engine on the OpenSSL that Node carries and exports, called through node:ffi: one cipher context per
// direction for the life of the key, and for each sector only a new tweak. No object is made per sector and no byte is
// copied, which is what makes the portable engine slow. It exists only where node:ffi does (Node 26.1 and later) and
// where dlopen of the process itself finds the symbols; `evpXts()` is null elsewhere, and the portable engine does the
// work.
//
// OpenSSL reads and writes memory that JavaScript owns. What keeps that sound:
// - Calls are synchronous: nothing of JavaScript runs, and so nothing is collected, moved or detached, during a call.
// - An address of the caller's data is taken at the beginning of `apply` and forgotten at its end.
// - Tweak and key go through one ArrayBuffer of our own. V8 keeps ArrayBuffers outside its heap (unlike typed arrays
//   of up to 64 bytes, which it moves), and the engine holds this one as long as it holds its address.
// - A context belongs to its engine, is freed once by dispose, which also cleanses the key schedule, and never used
//   again. Contexts may be lent to another thread: a context is then used there alone, and the lender sees to it that
//   nobody is inside when it takes the context back.

import { assert } from '#base/assert.ts'
import type { SecretBytes } from './secret-bytes.ts'
import { Tweak, tweakBytes, tweakUnitBytes, volumeKeyBytes } from './xts-engine.ts'
import type { Direction, XtsEngine } from './xts-engine.ts'

/** Two contexts with a key in them, by address: plain data, so that it reaches another thread of the process. */
export interface XtsLoan {
  readonly encrypt: bigint
  readonly decrypt: bigint
}

/** An engine whose key another thread may use too, without ever seeing it. */
export interface EvpXts extends XtsEngine {
  /** Fresh contexts with the same key. They end with the engine, or earlier by `endLoan`. */
  lend(): XtsLoan
  endLoan(loan: XtsLoan): void
}

/** Null where this process does not reach its OpenSSL. The engine copies the key; the caller still owns `volumeKey`. */
export function evpXts(volumeKey: SecretBytes): EvpXts | null {
  evp ??= loadEvp()
  if (evp === 'absent') return null
  const { rawPointer, functions } = evp
  const { newContext, freeContext, copyContext, aes256Xts, init } = functions

  const keyCopy = new Uint8Array(new ArrayBuffer(volumeKeyBytes + tweakBytes))
  const keyAddress = rawPointer(keyCopy)

  const open = (encrypting: 0 | 1): bigint => {
    const context = newContext()
    if (context !== none && init(context, aes256Xts(), none, keyAddress, none, encrypting) === 1) return context
    freeContext(context)
    return none
  }

  volumeKey.use((bytes) => keyCopy.set(bytes))
  const contexts: Record<Direction, bigint> = { encrypt: open(1), decrypt: open(0) }
  keyCopy.fill(0)

  const loans = new Set<XtsLoan>()
  const endLoan = (loan: XtsLoan): void => {
    if (!loans.delete(loan)) return
    freeContext(loan.encrypt)
    freeContext(loan.decrypt)
  }
  const dispose = (): void => {
    for (const loan of loans) endLoan(loan)
    // EVP_CIPHER_CTX_free does nothing with a null pointer, so that disposing twice is safe.
    freeContext(contexts.encrypt)
    freeContext(contexts.decrypt)
    contexts.encrypt = none
    contexts.decrypt = none
  }
  if (contexts.encrypt === none || contexts.decrypt === none) {
    dispose()
    return null
  }

  const copyOf = (context: bigint): bigint => {
    assert(context !== none, 'a cipher is not lent after its end')
    const copy = newContext()
    assert(copy !== none && copyContext(copy, context) === 1, 'OpenSSL copies a context')
    return copy
  }

  return {
    apply: applier(contexts),
    lend() {
      const loan = { encrypt: copyOf(contexts.encrypt), decrypt: copyOf(contexts.decrypt) }
      loans.add(loan)
      return loan
    },
    endLoan,
    [Symbol.dispose]: dispose,
  }
}

/** The engine of a borrower. The lender keeps the contexts, so that disposing of this does nothing. */
export const borrowedXts = (loan: XtsLoan): XtsEngine => ({ apply: applier(loan), [Symbol.dispose]: () => undefined })

function applier(contexts: Readonly<Record<Direction, bigint>>): XtsEngine['apply'] {
  evp ??= loadEvp()
  assert(evp !== 'absent', 'who has contexts has an OpenSSL')
  const { rawPointer, functions } = evp
  const { cipher } = functions
  const retweak = { encrypt: functions.retweakToEncrypt, decrypt: functions.retweakToDecrypt }
  const memory = new ArrayBuffer(64)
  const tweak = new Tweak(memory)
  const tweakAddress = rawPointer(memory)
  return (direction, data, unitBytes, firstTweak) => {
    const context = contexts[direction]
    assert(context !== none, 'a cipher is not used after its end')
    if (data.length === 0) return
    tweak.set(firstTweak)
    const setTweak = retweak[direction]
    const count = BigInt(unitBytes)
    let unit = rawPointer(data)
    for (let offset = 0; offset < data.length; offset += unitBytes) {
      assert(setTweak(context, none, none, tweakAddress) === 1, 'OpenSSL takes a new tweak')
      assert(cipher(context, unit, unit, count) > 0, 'OpenSSL transforms a whole unit')
      tweak.advance(unitBytes / tweakUnitBytes)
      unit += count
    }
  }
}

const none = 0n

// Every address that goes out is a bigint of ours. EVP_EncryptInit and EVP_DecryptInit, with null for cipher and key,
// change the tweak and nothing else. They are here for their four arguments: as measured on Node 26.10,
// EVP_CipherInit_ex with its six costs ten times as much per call, a third of the time of a 4096-byte sector.
// EVP_Cipher is here because EVP_CipherUpdate has one argument more, an output length that is known. Its length is
// declared a pointer, which has the same register, because only calls whose arguments are all pointers take V8's fast way.
const pointer = 'pointer'
const definitions = {
  EVP_CIPHER_CTX_new: { arguments: [], return: pointer },
  EVP_CIPHER_CTX_free: { arguments: [pointer], return: 'void' },
  EVP_aes_256_xts: { arguments: [], return: pointer },
  EVP_CipherInit_ex: { arguments: [pointer, pointer, pointer, pointer, pointer, 'int32'], return: 'int32' },
  EVP_EncryptInit: { arguments: [pointer, pointer, pointer, pointer], return: 'int32' },
  EVP_DecryptInit: { arguments: [pointer, pointer, pointer, pointer], return: 'int32' },
  EVP_Cipher: { arguments: [pointer, pointer, pointer, pointer], return: 'int32' },
  EVP_CIPHER_CTX_copy: { arguments: [pointer, pointer], return: 'int32' },
} as const

type Evp = Exclude<ReturnType<typeof loadEvp>, 'absent'>

/** Looked up once per thread; 'absent' is remembered too. The library is the process, so nothing is ever closed. */
let evp: Evp | 'absent' | undefined

function loadEvp() {
  try {
    // Not an import: that would fail to link where node:ffi is missing. This gives undefined there.
    const ffi: typeof import('node:ffi') | undefined = process.getBuiltinModule('node:ffi')
    if (ffi === undefined) return 'absent'
    const library = ffi.dlopen(null, definitions)
    const symbols = library.functions
    const functions = {
      newContext: symbols.EVP_CIPHER_CTX_new,
      freeContext: symbols.EVP_CIPHER_CTX_free,
      copyContext: symbols.EVP_CIPHER_CTX_copy,
      aes256Xts: symbols.EVP_aes_256_xts,
      init: symbols.EVP_CipherInit_ex,
      retweakToEncrypt: symbols.EVP_EncryptInit,
      retweakToDecrypt: symbols.EVP_DecryptInit,
      cipher: symbols.EVP_Cipher,
    }
    return { library, functions, rawPointer: ffi.getRawPointer }
  } catch {
    // Windows, a symbol that is not exported, or a permission model that forbids ffi: all mean the portable engine.
    return 'absent'
  }
}
