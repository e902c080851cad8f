// Chance that can be had again: the same seed, the same choices.

export interface Chance {
  /** 0 to `limit` - 1. */
  below(limit: number): number
  pick<Item>(items: readonly Item[]): Item
  bytes(count: number): Buffer
}

/** xorshift32. */
export function chanceOf(seed: number): Chance {
  // Neighbouring seeds begin far apart, and none at zero.
  let state = Math.imul(seed + 1, 0x9e37_79b1) | 1
  function next(): number {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit)
  return {
    below,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    bytes(count) {
      const words = new Uint32Array(Math.ceil(count / 4))
      for (let index = 0; index < words.length; index += 1) words[index] = next()
      return Buffer.from(words.buffer, 0, count)
    },
  }
}

/** Seeds that a campaign runs: some in every test run, more where a variable says so; or one, to see it again. */
export function seedsOf(variable: string, countByDefault: number): number[] {
  const only = process.env['KEYWARD_TEST_SEED']
  if (only !== undefined) return [Number(only)]
  const first = Number(process.env['KEYWARD_TEST_FIRST_SEED'] ?? 1)
  return Array.from({ length: Number(process.env[variable] ?? countByDefault) }, (_, index) => first + index)
}
