// TLS between a socket and a stream of plain bytes, on a connection of OpenSSL that can leave: after the negotiation it is
// handed, together with the socket, to a thread that waits in it. Where it stays, it is a socket like any other.

import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { TlsCalls } from './tls-calls.ts'

export class TlsStream extends Duplex {
  readonly #calls: TlsCalls
  readonly #socket: Socket
  #ssl: bigint | null
  readonly #onData = (bytes: Buffer): void => this.#take(bytes)
  readonly #onClose = (): void => void this.destroy()

  constructor(calls: TlsCalls, socket: Socket, ssl: bigint) {
    super({ allowHalfOpen: false })
    this.#calls = calls
    this.#socket = socket
    this.#ssl = ssl
    socket.on('data', this.#onData)
    socket.once('close', this.#onClose)
  }

  /** Takes the connection away, together with what was decrypted before; the socket is still to be closed by the caller. */
  leave(): { readonly ssl: bigint; readonly received: Buffer } | null {
    const ssl = this.#ssl
    if (ssl === null) return null
    this.#socket.off('data', this.#onData)
    this.#socket.off('close', this.#onClose)
    this.#socket.pause()
    const received: Buffer[] = []
    for (;;) {
      const raw: unknown = this.#socket.read()
      if (!Buffer.isBuffer(raw)) break
      this.#calls.feed(ssl, raw)
    }
    for (;;) {
      const plain = this.#calls.read(ssl)
      if (!Buffer.isBuffer(plain)) break
      received.push(plain)
    }
    this.#ssl = null
    return { ssl, received: Buffer.concat(received) }
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const ssl = this.#ssl
    if (ssl === null || !this.#calls.write(ssl, bytes)) return done(new Error('the connection is over'))
    const sealed = this.#calls.drain(ssl)
    if (!sealed) return done()
    this.#socket.write(sealed, done)
  }

  override _final(done: () => void): void {
    if (this.#ssl !== null) {
      this.#calls.shutDown(this.#ssl)
      const goodbye = this.#calls.drain(this.#ssl)
      if (goodbye) this.#socket.write(goodbye)
    }
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#ssl !== null) this.#calls.free(this.#ssl)
    this.#ssl = null
    this.#socket.destroy()
    done(error)
  }

  #take(bytes: Buffer): void {
    if (this.#ssl === null) return
    this.#calls.feed(this.#ssl, bytes)
    this.#readAll()
  }

  /** Reads what has been fed, also before this stream was made. */
  readAhead(): void {
    this.#readAll()
  }

  #readAll(): void {
    let wantsMore = true
    while (this.#ssl !== null) {
      const plain = this.#calls.read(this.#ssl)
      if (plain === null) break
      if (plain === 'ended') return void this.push(null)
      wantsMore = this.push(plain)
    }
    if (!wantsMore) this.#socket.pause()
  }
}

export interface SecuredStream {
  readonly socket: TlsStream
  readonly identity: string
}

/**
 * Waits for the client's handshake, like `secure` in secure.ts. Null when it did not succeed; the socket is destroyed then.
 */
export function secureStream(
  calls: TlsCalls,
  plain: Socket,
  keyOf: (identity: string) => Buffer | null,
): Promise<SecuredStream | null> {
  let admitted: string | null = null
  const ssl = calls.open((_, identity) => {
    const key = keyOf(identity)
    admitted = key ? identity : null
    return key
  })
  return new Promise((resolve) => {
    if (ssl === null) {
      plain.destroy()
      return resolve(null)
    }
    const fail = (): void => {
      plain.off('data', onData)
      plain.off('close', fail)
      calls.free(ssl)
      plain.destroy()
      resolve(null)
    }
    function onData(bytes: Buffer): void {
      if (ssl === null) return
      calls.feed(ssl, bytes)
      const state = calls.shakeHands(ssl)
      const answer = calls.drain(ssl)
      if (answer) plain.write(answer)
      if (state === 'unfinished') return
      if (state === 'failed' || admitted === null) return fail()
      plain.off('data', onData)
      plain.off('close', fail)
      const socket = new TlsStream(calls, plain, ssl)
      socket.on('error', () => socket.destroy())
      resolve({ socket, identity: admitted })
      // The client may have said more in the same breath.
      socket.readAhead()
    }
    plain.on('data', onData)
    plain.once('close', fail)
    plain.resume()
  })
}
