// TLS connections of the OpenSSL that Node carries and exports, by address, through node:ffi. Unlike a TLSSocket they may
// change from memory to a socket after the handshake, and so be handed to a thread that waits in them. `tlsCalls` is null
// where node:ffi or a symbol is missing; secure.ts then does the work.
//
// A connection is used by one thread at a time. All arguments are declared pointers, see socket-calls.ts.

import { throughFfi } from './ffi.ts'
import type { Ffi } from './ffi.ts'
import { silence } from './lane-replies.ts'

/** As in secure.ts, where the reasons are. TLS 1.3 takes its suites apart from older versions. */
export const tls13Suites = ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256']
export const tls12Suites = ['DHE-PSK-AES256-GCM-SHA384', 'DHE-PSK-AES128-GCM-SHA256', 'ECDHE-PSK-CHACHA20-POLY1305']

/** Told by OpenSSL during a handshake; null refuses the client. Both sides of a key are wiped by their owners. */
export type KeyOf = (ssl: bigint, identity: string) => Uint8Array | null

export interface TlsCalls {
  /** A server's connection over two memories, to be filled and emptied by the caller; null on failure. */
  open(keyOf: KeyOf): bigint | null
  /** Gives what came from the network to the connection. */
  feed(ssl: bigint, bytes: Uint8Array): void
  /** What the connection wants to send; null when there is nothing. */
  drain(ssl: bigint): Buffer | null
  shakeHands(ssl: bigint): 'done' | 'unfinished' | 'failed'
  /** Decrypted bytes of what was fed; null when there are none, 'ended' at the end of the connection. */
  read(ssl: bigint): Buffer | 'ended' | null
  write(ssl: bigint, bytes: Uint8Array): boolean
  /** From now on the connection is over a socket, whose descriptor stays the caller's. */
  attach(ssl: bigint, fd: bigint): void
  /** Waits for at least one byte. 0 when there will be no more, `silence` when none came in the socket's time limit. */
  receive(ssl: bigint, address: bigint, byteCountMax: number): number
  /** Waits until all is sent; false when that is not to be, or the socket's time limit passed twice. */
  send(ssl: bigint, address: bigint, byteCount: number): boolean
  /** Says goodbye. */
  shutDown(ssl: bigint): void
  free(ssl: bigint): void
}

const pointer = 'pointer'
const none = 0n
// openssl/ssl.h
const wantRead = 2
const wantWrite = 3
const setMode = 33
const setReadAhead = 41
const setDhAuto = 118
const setMinVersion = 123
const releaseBuffers = 0x10n
const tls12 = 0x0303n
const noTicket = 1n << 14n
const noRenegotiation = 1n << 30n
/** What one call takes from the network: several records. */
const readBufferBytes = 256 * 1024
const recordBytesMax = 16 * 1024

function bind({ dlopen, getRawPointer, toString, toBuffer }: Ffi): TlsCalls {
  const { lib, functions: c } = dlopen(null, {
    TLS_server_method: { return: pointer, arguments: [] },
    SSL_CTX_new: { return: pointer, arguments: [pointer] },
    SSL_CTX_ctrl: { return: 'int64', arguments: [pointer, 'int32', pointer, pointer] },
    SSL_CTX_set_options: { return: 'uint64', arguments: [pointer, 'uint64'] },
    SSL_CTX_set_cipher_list: { return: 'int32', arguments: [pointer, 'string'] },
    SSL_CTX_set_ciphersuites: { return: 'int32', arguments: [pointer, 'string'] },
    SSL_CTX_set_num_tickets: { return: 'int32', arguments: [pointer, pointer] },
    SSL_CTX_set_default_read_buffer_len: { return: 'void', arguments: [pointer, pointer] },
    SSL_CTX_set_psk_server_callback: { return: 'void', arguments: [pointer, pointer] },
    SSL_new: { return: pointer, arguments: [pointer] },
    SSL_free: { return: 'void', arguments: [pointer] },
    SSL_set_bio: { return: 'void', arguments: [pointer, pointer, pointer] },
    SSL_set_fd: { return: 'int32', arguments: [pointer, pointer] },
    SSL_get_rbio: { return: pointer, arguments: [pointer] },
    SSL_get_wbio: { return: pointer, arguments: [pointer] },
    SSL_set_accept_state: { return: 'void', arguments: [pointer] },
    SSL_do_handshake: { return: 'int32', arguments: [pointer] },
    SSL_get_error: { return: 'int32', arguments: [pointer, pointer] },
    SSL_read: { return: 'int32', arguments: [pointer, pointer, pointer] },
    SSL_write: { return: 'int32', arguments: [pointer, pointer, pointer] },
    SSL_has_pending: { return: 'int32', arguments: [pointer] },
    SSL_shutdown: { return: 'int32', arguments: [pointer] },
    BIO_s_mem: { return: pointer, arguments: [] },
    BIO_new: { return: pointer, arguments: [pointer] },
    BIO_read: { return: 'int32', arguments: [pointer, pointer, pointer] },
    BIO_write: { return: 'int32', arguments: [pointer, pointer, pointer] },
    ERR_clear_error: { return: 'void', arguments: [] },
  })
  const keysOf = new Map<bigint, KeyOf>()
  let context = none

  /** psk_server_callback: puts the key where it is told and returns its length, 0 for none. Called in a handshake only. */
  function onIdentity(ssl: bigint, identity: bigint, target: bigint, byteCountMax: number): number {
    const text = identity === none ? null : toString(identity)
    const key = text === null ? null : (keysOf.get(ssl)?.(ssl, text) ?? null)
    if (key === null || key.length > byteCountMax) return 0
    toBuffer(target, key.length, false).set(key)
    const { length } = key
    key.fill(0)
    return length
  }

  function makeContext(): bigint {
    const made = c.SSL_CTX_new(c.TLS_server_method())
    if (made === none) return none
    c.SSL_CTX_ctrl(made, setMinVersion, tls12, none)
    c.SSL_CTX_ctrl(made, setDhAuto, 1n, none)
    c.SSL_CTX_ctrl(made, setReadAhead, 1n, none)
    c.SSL_CTX_ctrl(made, setMode, releaseBuffers, none)
    c.SSL_CTX_set_default_read_buffer_len(made, BigInt(readBufferBytes))
    // A session that is resumed by a ticket would outlive the key that admitted it.
    c.SSL_CTX_set_options(made, noTicket | noRenegotiation)
    c.SSL_CTX_set_num_tickets(made, none)
    const signature = { arguments: ['uint64', 'uint64', 'uint64', 'uint32'], return: 'uint32' } as const
    c.SSL_CTX_set_psk_server_callback(made, lib.registerCallback(signature, onIdentity))
    const suitesTaken = c.SSL_CTX_set_ciphersuites(made, tls13Suites.join(':'))
    return suitesTaken === 1 && c.SSL_CTX_set_cipher_list(made, tls12Suites.join(':')) === 1 ? made : none
  }

  /** Whether a call that gave `result` is to be made again when the network has moved. */
  function isUnfinished(ssl: bigint, result: number): boolean {
    const error = c.SSL_get_error(ssl, BigInt.asUintN(32, BigInt(result)))
    return error === wantRead || error === wantWrite
  }

  const scratch = Buffer.allocUnsafeSlow(recordBytesMax + 1024)
  const scratchAddress = getRawPointer(scratch)
  const scratchBytes = BigInt(scratch.length)

  return {
    open(keyOf) {
      if (context === none) context = makeContext()
      const ssl = context === none ? none : c.SSL_new(context)
      if (ssl === none) return null
      c.SSL_set_bio(ssl, c.BIO_new(c.BIO_s_mem()), c.BIO_new(c.BIO_s_mem()))
      c.SSL_set_accept_state(ssl)
      keysOf.set(ssl, keyOf)
      return ssl
    },
    feed: (ssl, bytes) => void c.BIO_write(c.SSL_get_rbio(ssl), getRawPointer(bytes), BigInt(bytes.length)),
    drain(ssl) {
      const pieces: Buffer[] = []
      for (;;) {
        const count = c.BIO_read(c.SSL_get_wbio(ssl), scratchAddress, scratchBytes)
        if (count <= 0) break
        pieces.push(Buffer.from(scratch.subarray(0, count)))
      }
      return pieces.length > 0 ? Buffer.concat(pieces) : null
    },
    shakeHands(ssl) {
      c.ERR_clear_error()
      const result = c.SSL_do_handshake(ssl)
      if (result === 1) return 'done'
      return isUnfinished(ssl, result) ? 'unfinished' : 'failed'
    },
    read(ssl) {
      c.ERR_clear_error()
      const count = c.SSL_read(ssl, scratchAddress, scratchBytes)
      if (count > 0) return Buffer.from(scratch.subarray(0, count))
      return isUnfinished(ssl, count) ? null : 'ended'
    },
    write(ssl, bytes) {
      c.ERR_clear_error()
      return c.SSL_write(ssl, getRawPointer(bytes), BigInt(bytes.length)) === bytes.length
    },
    attach(ssl, fd) {
      keysOf.delete(ssl)
      c.SSL_set_fd(ssl, fd)
    },
    receive(ssl, address, byteCountMax) {
      c.ERR_clear_error()
      let done = 0
      // A call gives one record at most; what has been read with it is taken along.
      do {
        const count = c.SSL_read(ssl, address + BigInt(done), BigInt(byteCountMax - done))
        if (count <= 0 && done === 0) return isUnfinished(ssl, count) ? silence : 0
        if (count <= 0) break
        done += count
      } while (done < byteCountMax && c.SSL_has_pending(ssl) === 1)
      return done
    },
    send(ssl, address, byteCount) {
      c.ERR_clear_error()
      const count = c.SSL_write(ssl, address, BigInt(byteCount))
      if (count === byteCount) return true
      // Once may be a signal. The second call goes on where the first was held up.
      return isUnfinished(ssl, count) && c.SSL_write(ssl, address, BigInt(byteCount)) === byteCount
    },
    shutDown: (ssl) => void c.SSL_shutdown(ssl),
    free(ssl) {
      keysOf.delete(ssl)
      c.SSL_free(ssl)
    },
  }
}

export const tlsCalls: TlsCalls | null = throughFfi(bind)
