// Sockets by their descriptors, for threads that have no event loop to wait in. `socketCalls` is null where node:ffi or
// Linux is missing; then every socket stays with node:net.
//
// Addresses are of memory that the caller keeps alive and that does not move. All arguments are declared pointers, also
// the numbers among them: only such calls take V8's fast way, and in a register a number looks the same.

import type { Socket } from 'node:net'
import { throughFfi } from './ffi.ts'
import type { Ffi } from './ffi.ts'
import { silence } from './lane-replies.ts'

// sys/socket.h, asm-generic/ioctls.h
const noSignal = 0x4000n
const both = 2n
const socketLevel = 1n
const sendBufferForce = 32n
const receiveTimeout = 20n
const sendTimeout = 21n
const fionbio = 0x5421n

export interface SocketCalls {
  /** Waits for at least one byte. 0 when there will be no more; `silence` when none came for as long as `setPatience` says. */
  receive(fd: bigint, address: bigint, byteCountMax: number): number
  /** Waits until all is sent; false when that is not to be, or nothing could be sent for twice as long as it says. */
  send(fd: bigint, address: bigint, byteCount: number): boolean
  /** Ends the connection in both directions: whoever waits in the calls above returns, and nothing more leaves. */
  shutDown(fd: bigint): void
  /** A second descriptor of the same socket, which waits in its calls; null on failure. The caller closes it. */
  duplicate(fd: number): bigint | null
  close(fd: bigint): void
  /** What the kernel takes from us before the client has read it. */
  setSendBuffer(fd: bigint, byteCount: number): void
  /** How long the calls above wait for the client before they say so. */
  setPatience(fd: bigint, ms: number): void
  addressOf(memory: NodeJS.ArrayBufferView): bigint
}

const pointer = 'pointer'

function bind({ dlopen, getRawPointer }: Ffi): SocketCalls {
  const { functions: c } = dlopen(null, {
    recv: { return: 'int32', arguments: [pointer, pointer, pointer, pointer] },
    send: { return: 'int32', arguments: [pointer, pointer, pointer, pointer] },
    shutdown: { return: 'int32', arguments: [pointer, pointer] },
    dup: { return: 'int32', arguments: [pointer] },
    close: { return: 'int32', arguments: [pointer] },
    ioctl: { return: 'int32', arguments: [pointer, pointer, pointer] },
    setsockopt: { return: 'int32', arguments: [pointer, pointer, pointer, pointer, pointer] },
  })
  // Longer than the 64 bytes up to which V8 may move an array.
  const words = new Int32Array(32)
  const wordsAddress = getRawPointer(words)
  return {
    // Not told apart: a time limit, a signal, and an error, after which the next call says that the connection is over.
    receive: (fd, address, byteCountMax) => Math.max(c.recv(fd, address, BigInt(byteCountMax), 0n), silence),
    send(fd, address, byteCount) {
      let isStuck = false
      for (let done = 0; done < byteCount; ) {
        const count = c.send(fd, address + BigInt(done), BigInt(byteCount - done), noSignal)
        // Once may be a signal.
        if (count <= 0 && isStuck) return false
        isStuck = count <= 0
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
    setPatience(fd, ms) {
      // struct timeval { long tv_sec; long tv_usec }
      words.set([Math.floor(ms / 1000), 0, (ms % 1000) * 1000, 0])
      c.setsockopt(fd, socketLevel, receiveTimeout, wordsAddress, 16n)
      c.setsockopt(fd, socketLevel, sendTimeout, wordsAddress, 16n)
    },
    addressOf: (memory) => getRawPointer(memory),
  }
}

export const socketCalls: SocketCalls | null = throughFfi(bind)

/** The descriptor of a socket of node:net; null when it is not there. */
export function descriptorOf(socket: Socket): number | null {
  const fd = numberOf(socket, 'fd')
  return fd !== null && fd >= 0 ? fd : null
}

/** Bytes that a socket of node:net has brought, and that the kernel has taken from it. */
export const bytesMoved = (socket: Socket): number =>
  socket.bytesRead + (numberOf(socket, 'bytesWritten') ?? 0) - (numberOf(socket, 'writeQueueSize') ?? 0)

/** What node:net keeps in an undocumented place. */
function numberOf(socket: Socket, name: string): number | null {
  const handle: unknown = Reflect.get(socket, '_handle')
  const value: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, name) : undefined
  return typeof value === 'number' ? value : null
}
