// The tag of a block under a key: HMAC-SHA256 of sixteen bytes that say which block it is, and the block. Two engines give
// the same tags; the one on OpenSSL, through node:ffi, keeps one context for the life of the key and costs half as much,
// and is taken where it is there and has just been seen to agree with the other. What keeps its use of memory sound is
// said in evp-xts.ts.

import { createHmac } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { SecretBytes } from './secret-bytes.ts'

export const blockMacBytes = 32
export const blockMacKeyBytes = 32
const placeBytes = 16

/** What a block is. No two kinds share a place, so the tag of one is never that of another. */
export interface BlockPlace {
  readonly kind: number
  readonly level: number
  readonly number: number
}

export interface BlockMac {
  /** 32 bytes that the next call overwrites. */
  tag(place: BlockPlace, block: Uint8Array): Uint8Array
  /** Wipes the engine's copy of the key. It is not used after this. */
  [Symbol.dispose](): void
}

/** Copies the key; the caller still owns it. */
export function makeBlockMac(key: SecretBytes): BlockMac {
  assert(key.byteCount === blockMacKeyBytes, 'the key of block tags has 32 bytes')
  return (evpAgrees() ? evpBlockMac(key) : null) ?? portableBlockMac(key)
}

export function portableBlockMac(key: SecretBytes): BlockMac {
  const own = key.use((bytes) => SecretBytes.copyOf(bytes))
  const place = placeBuffer()
  return {
    tag(of, block) {
      place.set(of)
      return own.use((bytes) => createHmac('sha256', bytes).update(place.bytes).update(block).digest())
    },
    [Symbol.dispose]: () => own[Symbol.dispose](),
  }
}

/** Null where this process does not reach its OpenSSL. */
export function evpBlockMac(key: SecretBytes): BlockMac | null {
  evp ??= loadEvp()
  if (evp === 'absent') return null
  const { functions, rawPointer, mac, parameters } = evp
  const { newContext, freeContext, init, update, final } = functions
  const keyCopy = new Uint8Array(new ArrayBuffer(blockMacKeyBytes))
  let context = newContext(mac)
  key.use((bytes) => keyCopy.set(bytes))
  const isReady = context !== none && init(context, rawPointer(keyCopy), BigInt(blockMacKeyBytes), parameters) === 1
  keyCopy.fill(0)
  if (!isReady) {
    freeContext(context)
    return null
  }
  const place = placeBuffer()
  const placeAddress = rawPointer(place.bytes)
  const out = new Uint8Array(new ArrayBuffer(128))
  const result = out.subarray(0, blockMacBytes)
  const outAddress = rawPointer(out)
  const lengthAddress = outAddress + 64n
  return {
    tag(of, block) {
      assert(context !== none, 'a key is not used after its end')
      place.set(of)
      // Without a key it begins anew under the one that it has.
      const isDone =
        init(context, none, 0n, none) === 1 &&
        update(context, placeAddress, BigInt(placeBytes)) === 1 &&
        update(context, rawPointer(block), BigInt(block.length)) === 1 &&
        final(context, outAddress, lengthAddress, BigInt(blockMacBytes)) === 1
      assert(isDone, 'OpenSSL computes a tag')
      return result
    },
    [Symbol.dispose]() {
      // EVP_MAC_CTX_free does nothing with a null pointer, so that disposing twice is safe.
      freeContext(context)
      context = none
    },
  }
}

/** docs/formats.md, "Tags of a volume": kind, level, six zeros, number as 64 bits, little-endian. */
function placeBuffer() {
  // Memory that stays where it is: V8 moves typed arrays of up to 64 bytes that do not begin as an ArrayBuffer.
  const bytes = new Uint8Array(new ArrayBuffer(128), 0, placeBytes)
  const view = new DataView(bytes.buffer)
  return {
    bytes,
    set({ kind, level, number }: BlockPlace): void {
      view.setUint8(0, kind)
      view.setUint8(1, level)
      view.setUint32(8, number % 2 ** 32, true)
      view.setUint32(12, Math.floor(number / 2 ** 32), true)
    },
  }
}

const none = 0n
const pointer = 'pointer'
// Lengths are declared pointers, which have the same register: only calls whose arguments are all pointers take V8's fast way.
const definitions = {
  EVP_MAC_fetch: { arguments: [pointer, pointer, pointer], return: pointer },
  EVP_MAC_CTX_new: { arguments: [pointer], return: pointer },
  EVP_MAC_CTX_free: { arguments: [pointer], return: 'void' },
  EVP_MAC_init: { arguments: [pointer, pointer, pointer, pointer], return: 'int32' },
  EVP_MAC_update: { arguments: [pointer, pointer, pointer], return: 'int32' },
  EVP_MAC_final: { arguments: [pointer, pointer, pointer, pointer], return: 'int32' },
} as const

/** openssl/core.h: OSSL_PARAM_UTF8_STRING, OSSL_PARAM_UNMODIFIED. */
const utf8String = 4n
const unmodified = 2n ** 64n - 1n

type Evp = Exclude<ReturnType<typeof loadEvp>, 'absent'>
/** Looked up once per thread; 'absent' is remembered too. */
let evp: Evp | 'absent' | undefined

function loadEvp() {
  try {
    // Not an import: that would fail to link where node:ffi is missing. This gives undefined there.
    const ffi: typeof import('node:ffi') | undefined = process.getBuiltinModule('node:ffi')
    if (ffi === undefined) return 'absent'
    const library = ffi.dlopen(null, definitions)
    const symbols = library.functions
    const rawPointer = ffi.getRawPointer
    const texts = new Uint8Array(new ArrayBuffer(128))
    const at = (offset: number, text: string): bigint => {
      new TextEncoder().encodeInto(text, texts.subarray(offset))
      return rawPointer(texts) + BigInt(offset)
    }
    const mac = symbols.EVP_MAC_fetch(none, at(0, 'HMAC'), none)
    if (mac === none) return 'absent'
    // struct ossl_param_st { key; data_type; data; data_size; return_size }, and one of zeros at the end.
    const digest = 'SHA2-256'
    const list = new BigUint64Array(16)
    list.set([at(32, 'digest'), utf8String, at(64, digest), BigInt(digest.length), unmodified])
    const functions = {
      newContext: symbols.EVP_MAC_CTX_new,
      freeContext: symbols.EVP_MAC_CTX_free,
      init: symbols.EVP_MAC_init,
      update: symbols.EVP_MAC_update,
      final: symbols.EVP_MAC_final,
    }
    return { library, functions, rawPointer, mac, texts, list, parameters: rawPointer(list) }
  } catch {
    return 'absent'
  }
}

let agreement: boolean | undefined

/** The self test, once per thread. */
function evpAgrees(): boolean {
  agreement ??= compareEngines()
  return agreement
}

function compareEngines(): boolean {
  using key = SecretBytes.own(Uint8Array.from({ length: blockMacKeyBytes }, (_, i) => i + 1))
  using theirs = evpBlockMac(key)
  if (theirs === null) return false
  using ours = portableBlockMac(key)
  const block = Uint8Array.from({ length: 4096 }, (_, i) => i % 251)
  // Twice, since the second time the context begins anew.
  return [5, 2 ** 33 + 7].every((number) => {
    const place = { kind: 1, level: 2, number }
    return Buffer.compare(ours.tag(place, block), theirs.tag(place, block)) === 0
  })
}
