// Sockets by their descriptors, for threads that have no event loop to wait in. `socketCalls` is null where node:ffi or
// Linux is missing; then every socket stays with node:net.
//
// Addresses are of memory that the caller keeps alive and that does not move. All arguments are declared pointers, also
// the numbers among them: only such calls take V8's fast way, and in a register a number looks the same.

import type { Socket } from 'node:net'

// sys/socket.h, asm-generic/ioctls.h, errno.h
const noSignal = 0x4000n
const both = 2n
const socketLevel = 1n
const sendBufferForce = 32n
const fionbio = 0x5421n
const interrupted = 4

export interface SocketCalls {
  /** Waits for at least one byte. 0 when there will be no more, however that came. */
  receive(fd: bigint, address: bigint, byteCountMax: number): number
  /** Waits until all is sent; false when that is not to be. */
  send(fd: bigint, address: bigint, byteCount: number): boolean
  /** Ends the connection in both directions: whoever waits in the calls above returns, and nothing more leaves. */
  shutDown(fd: bigint): void
  /** A second descriptor of the same socket, which waits in its calls; null on failure. The caller closes it. */
  duplicate(fd: number): bigint | null
  close(fd: bigint): void
  /** What the kernel takes from us before the client has read it. */
  setSendBuffer(fd: bigint, byteCount: number): void
  addressOf(memory: NodeJS.ArrayBufferView): bigint
}

type Ffi = typeof import('node:ffi')

const pointer = 'pointer'

function bind({ dlopen, getRawPointer, getInt32 }: Ffi): SocketCalls {
  const { functions: c } = dlopen(null, {
    recv: { return: 'int32', arguments: [pointer, pointer, pointer, pointer] },
    send: { return: 'int32', arguments: [pointer, pointer, pointer, pointer] },
    shutdown: { return: 'int32', arguments: [pointer, pointer] },
    dup: { return: 'int32', arguments: [pointer] },
    close: { return: 'int32', arguments: [pointer] },
    ioctl: { return: 'int32', arguments: [pointer, pointer, pointer] },
    setsockopt: { return: 'int32', arguments: [pointer, pointer, pointer, pointer, pointer] },
    __errno_location: { return: pointer, arguments: [] },
  })
  const errno = (): number => getInt32(c['__errno_location']())
  // Longer than the 64 bytes up to which V8 may move an array.
  const words = new Int32Array(32)
  const wordsAddress = getRawPointer(words)
  return {
    receive(fd, address, byteCountMax) {
      for (;;) {
        const count = c.recv(fd, address, BigInt(byteCountMax), 0n)
        if (count >= 0) return count
        if (errno() !== interrupted) return 0
      }
    },
    send(fd, address, byteCount) {
      for (let done = 0; done < byteCount; ) {
        const count = c.send(fd, address + BigInt(done), BigInt(byteCount - done), noSignal)
        if (count < 0 && errno() !== interrupted) return false
        done += Math.max(count, 0)
      }
      return true
    },
    shutDown: (fd) => void c.shutdown(fd, both),
    duplicate(fd) {
      const copy = c.dup(BigInt(fd))
      if (copy < 0) return null
      words[0] = 0
      // node:net has made the socket one that never waits.
      c.ioctl(BigInt(copy), fionbio, wordsAddress)
      return BigInt(copy)
    },
    close: (fd) => void c.close(fd),
    setSendBuffer(fd, byteCount) {
      words[0] = byteCount
      c.setsockopt(fd, socketLevel, sendBufferForce, wordsAddress, 4n)
    },
    addressOf: (memory) => getRawPointer(memory),
  }
}

function load(): SocketCalls | null {
  if (process.platform !== 'linux') return null
  // Not an import: that would fail to link before Node 26.1, where node:ffi is missing. This gives undefined there.
  const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi')
  try {
    return ffi ? bind(ffi) : null
  } catch {
    return null
  }
}

export const socketCalls: SocketCalls | null = load()

/** The descriptor of a socket of node:net, which keeps it in an undocumented place; null when it is not there. */
export function descriptorOf(socket: Socket): number | null {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : null
}
