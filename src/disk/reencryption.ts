// From one volume key to another, sector by sector. The plaintext is in memory for as long as it takes to encrypt it again.

import { sectorBytes } from '#base/limits.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { CopyRun } from './copy-run.ts'
import type { SectorChange } from './copy-stored.ts'

/** Both keys stay the caller's. The ciphers end with the run: at once when it is aborted. */
export async function withReencryption(
  keys: { readonly from: SecretBytes; readonly to: SecretBytes },
  run: CopyRun,
  work: (change: SectorChange) => Promise<void>,
): Promise<void> {
  using from = makeSectorCipher(keys.from, sectorBytes)
  using to = makeSectorCipher(keys.to, sectorBytes)
  const wipe = (): void => {
    from[Symbol.dispose]()
    to[Symbol.dispose]()
  }
  run.signal.addEventListener('abort', wipe, { once: true })
  try {
    await work((sectors, offset) => {
      // Between this and the last use, nobody can take the keys away.
      run.check()
      from.decrypt(sectors, offset / sectorBytes)
      to.encrypt(sectors, offset / sectorBytes)
    })
  } finally {
    run.signal.removeEventListener('abort', wipe)
  }
}
