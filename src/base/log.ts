// One line of JSON per thing that an operator may want to know, on standard error. Secrets have no place here: whoever
// logs passes ids and states, and `SecretBytes` prints as a placeholder.

import { destination, pino, stdSerializers } from 'pino'
import type { Logger } from 'pino'

export type Log = Logger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

export function makeLog(level: LogLevel): Log {
  const redact = ['req.headers.authorization', 'authorization', 'apikey', 'apiKey', 'access_token', 'psk_key', 'pskKey']
  const serializers = { err: stdSerializers.errWithCause }
  return pino({ level, base: null, redact, serializers }, destination({ dest: 2, sync: true }))
}
