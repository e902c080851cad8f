// The doors: one TCP port for every export of this process, behind TLS with pre-shared keys, and for each export a unix
// socket that only its owner can reach.

import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { nbdConnectionsPerExportMax } from '#base/limits.ts'
import { serveConnection } from './connection.ts'
import type { ConnectionParts, Door } from './connection.ts'
import { folderMode, socketFolder, socketPath } from './folders.ts'
import { deriveKey, parseIdentity } from './psk.ts'

/** Clients that have not finished their handshake; each costs some kilobytes for as long as it may take. */
const strangersMax = 256
/** An idle client whose machine has gone is noticed by probes from then on. */
const keepAliveMs = 60_000

export type ListenerParts = Omit<ConnectionParts, 'door'> & {
  readonly dataFolder: string
  readonly accessSecret: Uint8Array
}

export class Listeners {
  readonly #parts: ListenerParts
  readonly #unix = new Map<string, Server>()
  readonly #sockets = new Set<Socket>()
  #tcp: Server | null = null
  /** In the order of their coming. */
  readonly #strangers = new Set<Socket>()

  constructor(parts: ListenerParts) {
    this.#parts = parts
  }

  /** Returns the port, which is another one than asked for only when any would do. */
  async listenTcp(host: string, port: number): Promise<number> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs }, (socket) =>
      this.#welcomeStranger(socket),
    )
    await listening(server, () => server.listen({ host, port, exclusive: true }))
    this.#tcp = server
    const address = server.address()
    return address !== null && typeof address === 'object' ? address.port : port
  }

  /** Opens the unix socket of an attachment unless it is open. */
  async openUnix(attachmentId: string): Promise<void> {
    if (this.#unix.has(attachmentId)) return
    const { dataFolder } = this.#parts
    const path = socketPath(dataFolder, attachmentId)
    const server = createServer((socket) => this.#serve(socket, { kind: 'unix', attachmentId }))
    // One more, so that the one that is too many can be told so.
    server.maxConnections = nbdConnectionsPerExportMax + 1
    this.#unix.set(attachmentId, server)
    try {
      await mkdir(socketFolder(dataFolder), { recursive: true, mode: folderMode })
      // What a process that died has left; a living one never has this attachment.
      await rm(path, { force: true })
      await listening(server, () => server.listen(path))
      await chmod(path, 0o600)
    } catch (error) {
      this.#unix.delete(attachmentId)
      throw error
    }
  }

  closeUnix(attachmentId: string): void {
    this.#unix.get(attachmentId)?.close()
    this.#unix.delete(attachmentId)
  }

  /** Lets nobody in any more. */
  close(): void {
    this.#tcp?.close()
    for (const attachmentId of this.#unix.keys()) this.closeUnix(attachmentId)
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #welcomeStranger(socket: Socket): void {
    // The one who has been silent longest makes room: a crowd of idlers must not keep honest clients out.
    const [oldest] = this.#strangers
    if (this.#strangers.size >= strangersMax) oldest?.destroy()
    this.#strangers.add(socket)
    const onAdmitted = (): void => void this.#strangers.delete(socket)
    socket.once('close', onAdmitted)
    const { accessSecret, clock, exports } = this.#parts
    const attachmentOf = (identity: string): string | null => {
      const admission = parseIdentity(identity)
      if (admission === null || clock.now() >= admission.expiresAt) return null
      return exports.has(admission.attachmentId) ? admission.attachmentId : null
    }
    const keyOf = (identity: string): Buffer | null =>
      attachmentOf(identity) === null ? null : deriveKey(accessSecret, identity)
    this.#serve(socket, { kind: 'tcp', keyOf, attachmentOf, onAdmitted })
  }

  #serve(socket: Socket, door: Door): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    void serveConnection(socket, { ...this.#parts, door })
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      // A listener that stops accepting (too many open files, say) goes on later.
      server.on('error', () => undefined)
      resolve()
    })
    listen()
  })
}
