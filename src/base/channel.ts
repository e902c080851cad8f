// Ports between processes of one tree. Each side offers an object of async methods and calls the other's by name; what
// crosses is plain data (structured clone, so bytes stay bytes). Faults arrive as faults; any other error arrives as one
// sentence, since its details belong in the log of the process it happened in.

import { Fault } from './fault.ts'
import type { FaultCode, FaultDetails } from './fault.ts'

/** What a process and its child have in common: `ChildProcess` and `process` with an 'advanced' IPC channel. */
export interface Pipe {
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  onClose(listener: () => void): void
}

type Method = (...args: never[]) => Promise<unknown>
export type Port = object

type Message =
  | { readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly fault: { code: FaultCode; message: string; details: FaultDetails } }
  | { readonly answer: number; readonly broken: string }

/**
 * Serves `offered` to the other side and returns a caller of what the other side offers. After the pipe has closed every
 * pending and further call rejects with a Fault 'unavailable'.
 */
export function connectPorts<Remote extends Port>(
  pipe: Pipe,
  offered: Port,
  onBroken: (error: unknown) => void,
): Remote {
  const pending = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>()
  let calls = 0
  let open = true

  pipe.onMessage((raw) => {
    // Both ends are our own code of the same version: the shape is known.
    const message = raw as Message
    if ('call' in message) void serve(message.call, message.method, message.args)
    else settle(message)
  })
  pipe.onClose(() => {
    open = false
    for (const call of pending.values()) call.reject(new Fault('unavailable', 'the other process has gone'))
    pending.clear()
  })

  async function serve(id: number, method: string, args: readonly unknown[]): Promise<void> {
    let message: Message
    try {
      const target = Object.hasOwn(offered, method) ? Reflect.get(offered, method) : undefined
      if (typeof target !== 'function') throw new Error(`no method ${method} in this port`)
      message = { answer: id, value: await (target as Method)(...(args as never[])) }
    } catch (error) {
      message = failure(id, error)
      if (!(error instanceof Fault)) onBroken(error)
    }
    if (open) pipe.send(message)
  }

  function settle(message: Exclude<Message, { call: number }>): void {
    const call = pending.get(message.answer)
    if (!call) return
    pending.delete(message.answer)
    if ('fault' in message) call.reject(new Fault(message.fault.code, message.fault.message, message.fault.details))
    else if ('broken' in message) call.reject(new Error(message.broken))
    else call.resolve(message.value)
  }

  const call = (method: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!open) return reject(new Fault('unavailable', 'the other process has gone'))
      const id = ++calls
      pending.set(id, { resolve, reject })
      pipe.send({ call: id, method, args } satisfies Message)
    })

  return new Proxy({} as Remote, {
    get: (_, method) =>
      // `then` must stay absent, or awaiting the proxy would call it.
      typeof method === 'string' && method !== 'then' ? (...args: unknown[]) => call(method, args) : undefined,
  })
}

function failure(id: number, error: unknown): Message {
  if (!(error instanceof Fault)) return { answer: id, broken: error instanceof Error ? error.message : String(error) }
  const details: FaultDetails = {
    ...(error.reason !== undefined && { reason: error.reason }),
    ...(error.target !== undefined && { target: error.target }),
    ...(error.keyword !== undefined && { keyword: error.keyword }),
    ...(error.extra !== undefined && { extra: error.extra }),
    ...(error.explanation !== undefined && { explanation: error.explanation }),
    ...(error.retryAfterSeconds !== undefined && { retryAfterSeconds: error.retryAfterSeconds }),
  }
  return { answer: id, fault: { code: error.code, message: error.message, details } }
}
