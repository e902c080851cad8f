// IPv4 blocks as numbers: which lie in which, and where there is room. Pure. Source: VPC docs, "About networking": every
// subnet keeps five of its addresses for itself, the first four and the last.

/** The addresses of a block are `first` to `first + size - 1`. */
export interface Block {
  readonly first: number
  readonly size: number
}

/** A block with its network address, such as 10.240.0.0/24; null for any other text. */
export function parseBlock(text: string): Block | null {
  const found = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text)
  const [, address, bits] = found ?? []
  const first = address === undefined ? null : parseAddress(address)
  const prefix = Number(bits)
  if (first === null || prefix > 32) return null
  const size = 2 ** (32 - prefix)
  return first % size === 0 ? { first, size } : null
}

export function parseAddress(text: string): number | null {
  const parts = text.split('.')
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return null
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export const formatAddress = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')

export const formatBlock = ({ first, size }: Block): string => `${formatAddress(first)}/${32 - Math.log2(size)}`

export const contains = (outer: Block, inner: Block): boolean =>
  inner.first >= outer.first && inner.first + inner.size <= outer.first + outer.size

export const overlap = (a: Block, b: Block): boolean => a.first < b.first + b.size && b.first < a.first + a.size

/** The lowest free block of this size in one of the outer ones, or null. */
export function freeBlock(outer: readonly Block[], taken: readonly Block[], size: number): Block | null {
  for (const space of outer) {
    for (let first = space.first; first + size <= space.first + space.size; ) {
      const block = { first, size }
      const obstacle = taken.find((one) => overlap(one, block))
      if (!obstacle) return block
      // Past it, at the next address that a block of this size can begin with.
      first = Math.ceil((obstacle.first + obstacle.size) / size) * size
    }
  }
  return null
}

const keptAtBegin = 4
const keptAtEnd = 1
export const keptAddresses = keptAtBegin + keptAtEnd

export const isUsable = (subnet: Block, address: number): boolean =>
  address >= subnet.first + keptAtBegin && address < subnet.first + subnet.size - keptAtEnd

/** The lowest address that the subnet can give away, or null. */
export function freeAddress(subnet: Block, taken: ReadonlySet<number>): number | null {
  for (let address = subnet.first + keptAtBegin; isUsable(subnet, address); address++) {
    if (!taken.has(address)) return address
  }
  return null
}
