// A client of QEMU's machine protocol: one JSON object to a line, commands answered by id, events in between. Source: QEMU,
// "QEMU Machine Protocol Specification".

import type { Duplex } from 'node:stream'
import { Fault } from '#base/fault.ts'
import { machineMessageBytesMax } from '#base/limits-compute.ts'

export interface QmpEvent {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface Qmp {
  /** What the command answers. Fault 'unavailable' when QEMU refuses it, with its sentence, or has gone. */
  execute(command: string, args?: object): Promise<unknown>
}

interface Waiting {
  resolve(value: unknown): void
  reject(reason: Fault): void
}

/** Fulfilled when QEMU has greeted; the machine has the rest of the socket to itself. */
export function openQmp(socket: Duplex, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
  const waiting = new Map<number, Waiting>()
  const greeted = Promise.withResolvers<void>()
  let commandCount = 0
  let pending = ''

  function execute(command: string, args: object = {}): Promise<unknown> {
    const id = ++commandCount
    return new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(gone())
      waiting.set(id, { resolve, reject })
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    })
  }

  function hear(line: string): void {
    const message = parse(line)
    if (message === null) return end()
    if ('QMP' in message) return greeted.resolve()
    if (typeof message['event'] === 'string')
      return onEvent({ event: message['event'], data: objectOf(message['data']) })
    const id = message['id']
    const command = typeof id === 'number' ? waiting.get(id) : undefined
    if (typeof id !== 'number' || !command) return
    waiting.delete(id)
    if ('error' in message) command.reject(refused(objectOf(message['error'])))
    else command.resolve(message['return'])
  }

  function end(): void {
    socket.destroy()
    greeted.reject(gone())
    for (const { reject } of waiting.values()) reject(gone())
    waiting.clear()
  }

  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const lines = (pending + text).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) hear(line)
    if (pending.length > machineMessageBytesMax) end()
  })
  socket.on('error', end)
  socket.on('end', end)
  socket.on('close', end)

  return greeted.promise.then(async () => {
    await execute('qmp_capabilities')
    return { execute }
  })
}

const gone = (): Fault => new Fault('unavailable', 'the machine has gone')

const refused = ({ desc }: Readonly<Record<string, unknown>>): Fault =>
  new Fault('unavailable', typeof desc === 'string' ? desc : 'the machine refused the command')

function parse(line: string): Record<string, unknown> | null {
  try {
    return objectOf(JSON.parse(line))
  } catch {
    return null
  }
}

const objectOf = (value: unknown): Record<string, unknown> =>
  // An object's members may be asked for by any name.
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
