// Chance as an argument: `systemRandom` in the product, a seeded one in tests and simulations. Key material in `kms` and
// `disk` comes from here too.

import { randomBytes } from 'node:crypto'

export interface Random {
  /** Fresh bytes, owned by the caller. */
  bytes(count: number): Uint8Array
}

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
}
