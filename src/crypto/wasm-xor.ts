// The part of XTS that is not AES, in WebAssembly with SIMD: the tweak of each block is the one before times x in
// GF(2^128) (IEEE Std 1619, 5.2), and is added to the block before and after AES. JavaScript has no numbers of 128 bits.
//
// The module is small enough to be written down instruction by instruction. Numbers are those of the WebAssembly core
// specification, "Binary Format".

/** Both work on the memory, at addresses in it; counts are at least one. */
export interface XorFunctions {
  readonly memory: Uint8Array
  /**
   * For each of `units` runs of `blocks` blocks of 16 bytes at `data`: its first tweak is the next at `seeds`; all tweaks
   * are written to `tweaks` and added to the data.
   */
  expand(data: number, tweaks: number, seeds: number, units: number, blocks: number): void
  /** Adds `blocks` blocks at `tweaks` to those at `data`. */
  add(data: number, tweaks: number, blocks: number): void
}

/** Node has it; the library of TypeScript describes it for browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
  readonly Memory: new (limits: { initial: number }) => { readonly buffer: ArrayBuffer }
}

/** Null where WebAssembly or its SIMD is switched off. */
export function makeXorFunctions(pages: number): XorFunctions | null {
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes(pages)))
    const { memory, expand, add } = instance.exports
    if (!(memory instanceof WebAssembly.Memory) || typeof expand !== 'function' || typeof add !== 'function')
      return null
    return {
      memory: new Uint8Array(memory.buffer),
      expand: (...args) => void expand(...args),
      add: (...args) => void add(...args),
    }
  } catch {
    return null
  }
}

type Bytes = readonly number[]

const i32 = 0x7f
const v128 = 0x7b
const blockBytes = 16

// Instructions. Those of SIMD have a prefix, and a number that is LEB128 like all numbers.
const get = (local: number): Bytes => [0x20, local]
const set = (local: number): Bytes => [0x21, local]
const constant = (value: number): Bytes => [0x41, ...signed(value)]
const simd = (number: number, ...rest: number[]): Bytes => [0xfd, ...unsigned(number), ...rest]
const addI32: Bytes = [0x6a]
/** Of 16 bytes whose address may be anything: alignment 2^0, offset 0. */
const load = simd(0x00, 0, 0)
const store = simd(0x0b, 0, 0)
const vector = (...bytes: number[]): Bytes => simd(0x0c, ...bytes)
const shuffle = (...lanes: number[]): Bytes => simd(0x0d, ...lanes)
const and = simd(0x4e)
const xor = simd(0x51)
const shiftLeft64 = simd(0xcb)
const shiftRightSigned64 = simd(0xcc)
const advance = (local: number, by: number): Bytes => [...get(local), ...constant(by), ...addI32, ...set(local)]
/** Repeats while `counter`, which is counted down, is not zero. */
const repeat = (counter: number, ...body: Bytes[]): Bytes => [
  0x03,
  0x40,
  ...body.flat(),
  ...advance(counter, -1),
  ...get(counter),
  0x0d,
  0,
  0x0b,
]

/** The tweak times x: both halves move up by a bit; the bit that leaves one enters the other, or becomes 0x87. */
const double = (tweak: number): Bytes => [
  ...get(tweak),
  ...constant(1),
  ...shiftLeft64,
  // All ones where a bit left, in the place of the other half.
  ...get(tweak),
  ...constant(63),
  ...shiftRightSigned64,
  ...get(tweak),
  ...shuffle(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7),
  ...vector(0x87, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
  ...and,
  ...xor,
  ...set(tweak),
]

const xorInto = (data: number, operand: Bytes): Bytes => [
  ...get(data),
  ...get(data),
  ...load,
  ...operand,
  ...xor,
  ...store,
]

function expandBody(): Bytes {
  const [data, tweaks, seeds, units, blocks, left, tweak] = [0, 1, 2, 3, 4, 5, 6]
  const eachBlock = repeat(
    left,
    [...get(tweaks), ...get(tweak), ...store],
    xorInto(data, get(tweak)),
    double(tweak),
    advance(data, blockBytes),
    advance(tweaks, blockBytes),
  )
  const eachUnit = repeat(
    units,
    [...get(seeds), ...load, ...set(tweak)],
    advance(seeds, blockBytes),
    [...get(blocks), ...set(left)],
    eachBlock,
  )
  return body(
    [
      [1, i32],
      [1, v128],
    ],
    eachUnit,
  )
}

function addBody(): Bytes {
  const [data, tweaks, blocks] = [0, 1, 2]
  return body(
    [],
    repeat(blocks, xorInto(data, [...get(tweaks), ...load]), advance(data, blockBytes), advance(tweaks, blockBytes)),
  )
}

function moduleBytes(pages: number): Uint8Array<ArrayBuffer> {
  const type = (parameters: number): Bytes => [0x60, ...list(Array.from({ length: parameters }, () => [i32])), 0]
  const exported = (name: string, kind: number, index: number): Bytes => [
    ...list([...Buffer.from(name)].map((byte) => [byte])),
    kind,
    index,
  ]
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00,
    ...section(1, list([type(5), type(3)])),
    ...section(3, list([[0], [1]])),
    // As large as it is and not larger: addresses in it stay good.
    ...section(5, list([[1, ...unsigned(pages), ...unsigned(pages)]])),
    ...section(7, list([exported('memory', 2, 0), exported('expand', 0, 0), exported('add', 0, 1)])),
    ...section(10, list([expandBody(), addBody()])),
  ])
}

function body(locals: readonly Bytes[], instructions: Bytes): Bytes {
  const code = [...list(locals), ...instructions, 0x0b]
  return [...unsigned(code.length), ...code]
}

const section = (id: number, content: Bytes): Bytes => [id, ...unsigned(content.length), ...content]
const list = (items: readonly Bytes[]): Bytes => [...unsigned(items.length), ...items.flat()]

/** LEB128. */
function unsigned(value: number): Bytes {
  const low = value & 0x7f
  const rest = value >>> 7
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)]
}

function signed(value: number): Bytes {
  const low = value & 0x7f
  const rest = value >> 7
  const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
  return isLast ? [low] : [low | 0x80, ...signed(rest)]
}
