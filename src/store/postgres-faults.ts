// What PostgreSQL and the way to it refuse, as sentences for the operator. Source: PostgreSQL, "Error Codes".

import { Fault } from '#base/fault.ts'

/**
 * A server that is away, full or failing is the operator's matter and a fault; a text that fits no index of its, which those of
 * the embedded engine have no bound for, is the client's; everything else goes on as it is.
 */
export function storageFault(error: unknown): never {
  if (!(error instanceof Error)) throw error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === '54000' && error.message.startsWith('index row size')) {
    throw new Fault('invalid', 'a name or value is longer than the database can look up', { cause: error })
  }
  const sentence = sentences.get(code) ?? sentences.get(code.slice(0, 2)) ?? (isLostConnection(error) ? away : null)
  if (sentence === null) throw error
  throw new Fault('unavailable', sentence, { cause: error })
}

const away = 'the database server cannot be reached'

/** By the code, or by the first two characters, which are the class. */
const sentences: ReadonlyMap<string, string> = new Map([
  ['08', away],
  ['ECONNREFUSED', away],
  ['ECONNRESET', away],
  ['ENOENT', away],
  ['ENOTFOUND', away],
  ['EAI_AGAIN', away],
  ['EHOSTUNREACH', away],
  ['ENETUNREACH', away],
  ['EPIPE', away],
  ['ETIMEDOUT', away],
  ['57P01', 'the database server is stopping'],
  ['57P02', 'the database server is stopping'],
  ['57P03', 'the database server is starting or stopping'],
  ['57014', 'the database server takes too long'],
  ['25006', 'the database server takes no writes: it may be a standby'],
  ['25P03', 'the database server has ended a transaction that stood still'],
  ['28', 'the database server does not let us in'],
  ['3D000', 'there is no such database on the database server'],
  ['53100', 'the disk of the database is full'],
  ['53', 'the database server has no room for more'],
  ['58', 'the disk of the database fails'],
])

/** The driver gives these no code. */
const isLostConnection = (error: Error): boolean =>
  /^(Connection terminated|timeout exceeded|Client has encountered a connection error|Client was closed|Query read timeout)/.test(
    error.message,
  )
