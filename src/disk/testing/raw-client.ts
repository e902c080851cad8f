// What a client sends, byte for byte, for tests that must say what no honest client would.

import { once } from 'node:events'
import { connect } from 'node:net'

export const greeting = Buffer.from('NBDMAGICIHAVEOPT')
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
export const option = (code: number, length: number, data = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from('IHAVEOPT'), u32(code), u32(length), data])
export const flags = u32(3)
export const go = option(7, 6, Buffer.alloc(6))
export const request = (type: number, length: number, magic = 0x25609513): Buffer =>
  Buffer.concat([u32(magic), Buffer.from([0, 0, 0, type]), Buffer.alloc(16), u32(length)])

/** Sends pieces to a socket and returns what came back by the time the server hung up. */
export async function provoke(
  at: { path: string } | { port: number; host: string },
  ...pieces: Buffer[]
): Promise<Buffer> {
  const socket = connect(at)
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.on('error', () => undefined)
  for (const piece of pieces) socket.write(piece)
  await once(socket, 'close')
  return Buffer.concat(received)
}
