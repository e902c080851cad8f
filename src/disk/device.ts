// What every layer of a volume looks like, from the gate at the top to the file at the bottom. Data go down as bytes at
// an offset; what went wrong comes up as a DeviceFault, which an NBD client may see, or as Fenced, which it may not.

/** A run of bytes that is either stored or a hole; a hole reads as zeros. */
export interface Extent {
  readonly byteCount: number
  readonly hole: boolean
}

export interface BlockDevice {
  readonly sizeBytes: number
  /** Fills the whole of `target`. The caller leaves it alone until the promise settles. */
  read(target: Uint8Array, offset: number): Promise<void>
  /** Writes the whole of `source`, which is only read, and only until the promise settles. */
  write(source: Uint8Array, offset: number): Promise<void>
  /**
   * `read` and `write` at once, or not at all: false when there is something to wait for (a disk, another request), and
   * then nothing has happened, except that `target` may hold anything. `writeNow` may use up what is in `source`.
   */
  readNow(target: Uint8Array, offset: number): boolean
  writeNow(source: Uint8Array, offset: number): boolean
  /** Whether `writeNow` never says false. */
  readonly writesAtOnce: boolean
  /** Afterwards the range reads as zeros, here and through any other tool that opens the image. */
  zero(offset: number, byteCount: number): Promise<void>
  /** Gives storage back where it can. Whole blocks of the range read as zeros afterwards; the rest is unchanged. */
  trim(offset: number, byteCount: number): Promise<void>
  /** Everything whose promise was fulfilled before the call survives power loss once this is fulfilled. */
  flush(): Promise<void>
  /** Extents from `offset` on; at least one, together at most `byteCount` bytes and possibly fewer. */
  extents(offset: number, byteCount: number): Promise<readonly Extent[]>
  /** Lets go of what the layer holds. Nothing is called afterwards. */
  close(): Promise<void>
}

/** The two ways in which storage fails that the NBD protocol tells apart. */
export type DeviceFaultCode = 'EIO' | 'ENOSPC'

export class DeviceFault extends Error {
  override readonly name = 'DeviceFault'
  readonly code: DeviceFaultCode

  constructor(code: DeviceFaultCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The right to serve has ended. Whoever meets this sends nothing and hangs up. */
export class Fenced extends Error {
  override readonly name = 'Fenced'

  constructor() {
    super('the right to serve this volume has ended')
  }
}
