// The master keys that are in use: one that seals, and while a rotation runs the one before it, which only opens. A
// record says which key it was sealed under; nothing is tried.

import { assert } from '#base/assert.ts'
import type { Sealer } from '#base/sealer.ts'
import { sealedRecordRefusal, sealedUnder } from '#crypto/sealed-record.ts'
import type { MasterKey } from './master-key.ts'

export interface Ring extends Sealer, Disposable {
  /** The key that seals. */
  readonly current: MasterKey
  /** Seals with `next` from now on; the key before it still opens. Takes `next` over. */
  turn(next: MasterKey): void
  /** Forgets every key but the current one. */
  forgetOld(): void
}

export function makeRing(first: MasterKey): Ring {
  let current = first
  const keys = new Map([[first.record.id, first]])
  return {
    get current() {
      return current
    },
    turn(next) {
      assert(!keys.has(next.record.id), 'a rotation ends at another key')
      keys.set(next.record.id, next)
      current = next
    },
    forgetOld() {
      for (const [id, key] of keys) {
        if (key === current) continue
        key[Symbol.dispose]()
        keys.delete(id)
      }
    },
    seal: (purpose, plaintext) => current.seal(purpose, plaintext),
    open(purpose, sealed) {
      const id = sealedUnder(sealed)
      if (id !== null) {
        const key = keys.get(id)
        if (!key) throw sealedRecordRefusal()
        return key.open(purpose, sealed)
      }
      // Version 1 names no key. Such records are older than any rotation, so the oldest key is theirs.
      const [oldest] = keys.values()
      assert(oldest, 'a ring holds a key')
      return oldest.open(purpose, sealed)
    },
    [Symbol.dispose]() {
      for (const key of keys.values()) key[Symbol.dispose]()
    },
  }
}
