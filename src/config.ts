// Settings: flags before environment variables before defaults; parsed once, frozen; what is not known is refused.
// This file is given the arguments and the environment; main.ts alone reads them.

import { parseArgs } from 'node:util'
import type { ParseArgsOptionDescriptor } from 'node:util'
import { Fault } from '#base/fault.ts'
import type { LogLevel } from '#base/log.ts'

export interface Config {
  readonly dataFolder: string
  readonly host: string
  /** 0 lets the system choose; the chosen one is printed and written to bootstrap.json. */
  readonly port: number
  readonly tls: { readonly certPath: string; readonly keyPath: string } | null
  readonly publicUrl: string | null
  readonly region: string
  readonly masterKey:
    | { readonly from: 'file'; readonly path: string | null }
    | { readonly from: 'value'; readonly text: string }
  readonly diskProcessCount: number
  /** The first of the ports on which the disk processes listen; 0 lets the system choose. */
  readonly nbdPort: number
  readonly logLevel: LogLevel
  readonly checkReplies: boolean
}

interface Setting extends ParseArgsOptionDescriptor {
  readonly variable: string
  readonly help: string
}

export const settings = {
  data: { type: 'string', variable: 'KEYWARD_DATA', help: 'data folder (./keyward-data)' },
  host: { type: 'string', variable: 'KEYWARD_HOST', help: 'address to listen on (127.0.0.1)' },
  port: { type: 'string', variable: 'KEYWARD_PORT', help: 'HTTP port, 0 for any (8080)' },
  'tls-cert': { type: 'string', variable: 'KEYWARD_TLS_CERT', help: 'certificate chain, PEM file' },
  'tls-key': { type: 'string', variable: 'KEYWARD_TLS_KEY', help: 'private key, PEM file' },
  insecure: { type: 'boolean', variable: 'KEYWARD_INSECURE', help: 'allow plain HTTP beyond this machine' },
  'public-url': { type: 'string', variable: 'KEYWARD_PUBLIC_URL', help: 'how clients reach this server (as they say)' },
  region: { type: 'string', variable: 'KEYWARD_REGION', help: 'the region that this server is (us-south)' },
  'master-key-file': { type: 'string', variable: 'KEYWARD_MASTER_KEY_FILE', help: 'master key (<data>/master.key)' },
  'disk-processes': { type: 'string', variable: 'KEYWARD_DISK_PROCESSES', help: 'data plane processes (one per core)' },
  'nbd-port': { type: 'string', variable: 'KEYWARD_NBD_PORT', help: 'first NBD port, 0 for any (10809)' },
  'log-level': {
    type: 'string',
    variable: 'KEYWARD_LOG_LEVEL',
    help: 'trace, debug, info, warn, error, silent (info)',
  },
  'check-replies': {
    type: 'boolean',
    variable: 'KEYWARD_CHECK_REPLIES',
    help: 'check each reply against its contract',
  },
  help: { type: 'boolean', variable: 'KEYWARD_HELP', help: 'this text' },
} as const satisfies Record<string, Setting>

/** The one secret that may come by environment: as a flag it would stand in the process list. */
const masterKeyVariable = 'KEYWARD_MASTER_KEY'

type Name = keyof typeof settings
type Values = Partial<Record<Name, string | boolean>>

export function parseConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  coreCount: number,
): Config | 'help' {
  const values: Values = { ...fromEnvironment(environment), ...fromArguments(args) }
  if (isTrue(values.help)) return 'help'
  const text = (name: Name): string | null =>
    typeof values[name] === 'string' && values[name] !== '' ? values[name] : null

  const host = text('host') ?? '127.0.0.1'
  const tls = tlsOf(text('tls-cert'), text('tls-key'))
  if (!isLoopback(host) && !tls && !isTrue(values.insecure)) {
    throw refusal(`--host ${host} is reachable from elsewhere: give --tls-cert and --tls-key, or say --insecure`)
  }
  const masterKeyText = environment[masterKeyVariable]
  const masterKeyPath = text('master-key-file')
  if (masterKeyText && masterKeyPath) throw refusal(`${masterKeyVariable} and --master-key-file are both set`)

  return Object.freeze<Config>({
    dataFolder: text('data') ?? './keyward-data',
    host,
    port: whole('port', text('port'), 8080, 0, 65_535),
    tls,
    publicUrl: publicUrl(text('public-url')),
    region: region(text('region') ?? 'us-south'),
    masterKey: masterKeyText ? { from: 'value', text: masterKeyText } : { from: 'file', path: masterKeyPath },
    diskProcessCount: whole('disk-processes', text('disk-processes'), coreCount, 1, 256),
    nbdPort: whole('nbd-port', text('nbd-port'), 10_809, 0, 65_000),
    logLevel: logLevel(text('log-level') ?? 'info'),
    checkReplies: isTrue(values['check-replies']),
  })
}

export const helpText = (): string =>
  Object.entries(settings)
    .map(([name, { variable, help }]) => `  --${name.padEnd(16)} ${variable.padEnd(24)} ${help}`)
    .join('\n')

function fromArguments(args: readonly string[]): Values {
  try {
    return parseArgs({ args: [...args], options: settings, strict: true, allowPositionals: false }).values
  } catch (cause) {
    const sentence = cause instanceof Error ? (cause.message.split('. ', 1)[0] ?? '') : 'arguments are not understood'
    throw new Fault('invalid', `${sentence}; --help lists the settings`, { cause })
  }
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Values {
  const byVariable = new Map(Object.entries(settings).map(([name, { variable }]) => [variable as string, name]))
  const values: Record<string, string> = {}
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('KEYWARD_') || variable === masterKeyVariable || value === undefined) continue
    const name = byVariable.get(variable)
    if (!name) throw refusal(`environment variable ${variable} is not a setting; --help lists them`)
    values[name] = value
  }
  return values
}

const isTrue = (value: string | boolean | undefined): boolean => value === true || value === 'true' || value === '1'

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

function tlsOf(certPath: string | null, keyPath: string | null): Config['tls'] {
  if (certPath !== null && keyPath !== null) return { certPath, keyPath }
  if (certPath !== null || keyPath !== null) throw refusal('--tls-cert and --tls-key go together')
  return null
}

function whole(name: Name, text: string | null, otherwise: number, min: number, max: number): number {
  if (text === null) return otherwise
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw refusal(`--${name} must be a whole number from ${min} to ${max}`)
  return value
}

function publicUrl(text: string | null): string | null {
  if (text === null) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol)) throw refusal('--public-url must be an http or https URL')
  return url.href.replace(/\/+$/, '')
}

function region(text: string): string {
  if (!/^[a-z]{2}-[a-z]{2,6}$/.test(text)) throw refusal('--region must look like us-south')
  return text
}

function logLevel(text: string): LogLevel {
  const level = (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).find((name) => name === text)
  if (!level) throw refusal(`--log-level ${text} is not a level`)
  return level
}

const refusal = (message: string): Fault => new Fault('invalid', message)
