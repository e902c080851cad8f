// Settings: flags before environment variables before defaults; parsed once, frozen; what is not known is refused.
// This file is given the arguments and the environment; main.ts alone reads them.

import { isIP, isIPv4 } from 'node:net'
import { parseArgs } from 'node:util'
import type { ParseArgsOptionDescriptor } from 'node:util'
import { Fault } from '#base/fault.ts'
import { noticeDaysAheadMax, noticeDaysMax } from '#base/limits-ledger.ts'
import { auditRetentionDaysMax } from '#base/limits-audit.ts'
import { machineMemoryMibMin } from '#base/limits-compute.ts'
import { policyPropagationSecondsMax } from '#base/limits.ts'
import type { LogLevel } from '#base/log.ts'
import type { Revocation } from '#kms/port.ts'
import { masterKeySource, oldMasterKeySource, secretVariables } from './config-master-key.ts'
import type { MasterKeySource } from './config-master-key.ts'
import { defaultQuotas, parseQuotas } from '#vpc/quotas.ts'
import type { Quotas } from '#vpc/quotas.ts'

export interface Config {
  readonly dataFolder: string
  /** Of a PostgreSQL; null for the embedded database in the data folder. It may hold a password. */
  readonly databaseUrl: string | null
  readonly host: string
  /** 0 lets the system choose; the chosen one is printed and written to bootstrap.json. */
  readonly port: number
  /** Where object storage listens: a bucket may be called like a path of any other API. 0 lets the system choose. */
  readonly cosPort: number
  readonly tls: { readonly certPath: string; readonly keyPath: string } | null
  readonly publicUrl: string | null
  readonly cosPublicUrl: string | null
  /** Addresses and networks of proxies whose word for the client's address is taken. */
  readonly trustedProxies: readonly string[]
  readonly region: string
  readonly masterKey: MasterKeySource
  /** Where the key is that `masterKey` replaces; null when nothing is to be replaced. */
  readonly oldMasterKey: MasterKeySource | null
  readonly diskProcessCount: number
  /** The first of the ports on which the disk processes listen; 0 lets the system choose. */
  readonly nbdPort: number
  /** How long a change of a policy takes to count: 0 but for tests of clients that are to bear it. */
  readonly policyPropagationSeconds: number
  /** 0 keeps them for ever. */
  readonly auditRetentionDays: number
  /** Days before an authorization ends by its bounds at which both accounts are told. */
  readonly authorizationNoticeDays: readonly number[]
  /** Whether webhooks may point to private addresses and speak plain HTTP. */
  readonly allowPrivateWebhooks: boolean
  readonly logLevel: LogLevel
  /** What becomes of volumes in use when their key is disabled. */
  readonly revocation: Revocation
  /** How much of VPC an account may have. */
  readonly quotas: Quotas
  /** Who runs instances with a boot volume: their users, or this host. */
  readonly computeDriver: 'record' | 'qemu'
  /** The program of the latter. */
  readonly qemuPath: string
  /** What one of its machines gets at most, whatever its profile says. */
  readonly machineMemoryMibMax: number
  /** What they get together; null for what the host has. */
  readonly machinesMemoryMib: number | null
  /** By which keys expire, rotate and wait. A virtual one is set forward by the operator. */
  readonly clock: 'system' | 'virtual'
  readonly checkReplies: boolean
}

interface Setting extends ParseArgsOptionDescriptor {
  readonly variable: string
  readonly help: string
}

export const settings = {
  data: { type: 'string', variable: 'KEYWARD_DATA', help: 'data folder (./keyward-data)' },
  database: { type: 'string', variable: 'KEYWARD_DATABASE', help: 'postgres://... (embedded, in the data folder)' },
  host: { type: 'string', variable: 'KEYWARD_HOST', help: 'address to listen on (127.0.0.1)' },
  port: { type: 'string', variable: 'KEYWARD_PORT', help: 'HTTP port, 0 for any (8080)' },
  'cos-port': { type: 'string', variable: 'KEYWARD_COS_PORT', help: 'object storage port (the one above, 0 with 0)' },
  'tls-cert': { type: 'string', variable: 'KEYWARD_TLS_CERT', help: 'certificate chain, PEM file' },
  'tls-key': { type: 'string', variable: 'KEYWARD_TLS_KEY', help: 'private key, PEM file' },
  insecure: { type: 'boolean', variable: 'KEYWARD_INSECURE', help: 'allow plain HTTP beyond this machine' },
  'public-url': { type: 'string', variable: 'KEYWARD_PUBLIC_URL', help: 'how clients reach this server (as they say)' },
  'cos-public-url': {
    type: 'string',
    variable: 'KEYWARD_COS_PUBLIC_URL',
    help: 'how clients reach object storage (as they say)',
  },
  'trusted-proxy': {
    type: 'string',
    variable: 'KEYWARD_TRUSTED_PROXY',
    help: 'proxies that tell client addresses (none)',
  },
  region: { type: 'string', variable: 'KEYWARD_REGION', help: 'the region that this server is (us-south)' },
  'master-key-file': { type: 'string', variable: 'KEYWARD_MASTER_KEY_FILE', help: 'master key (<data>/master.key)' },
  'passphrase-file': {
    type: 'string',
    variable: 'KEYWARD_PASSPHRASE_FILE',
    help: 'passphrase in the place of a master key',
  },
  'pkcs11-module': {
    type: 'string',
    variable: 'KEYWARD_PKCS11_MODULE',
    help: 'library of the token with the master key',
  },
  'pkcs11-token': { type: 'string', variable: 'KEYWARD_PKCS11_TOKEN', help: 'label of the token' },
  'pkcs11-pin-file': { type: 'string', variable: 'KEYWARD_PKCS11_PIN_FILE', help: 'PIN of the token' },
  'old-master-key-file': {
    type: 'string',
    variable: 'KEYWARD_OLD_MASTER_KEY_FILE',
    help: 'master key that is to be replaced',
  },
  'old-passphrase-file': {
    type: 'string',
    variable: 'KEYWARD_OLD_PASSPHRASE_FILE',
    help: 'passphrase that is to be replaced',
  },
  'old-pkcs11': {
    type: 'boolean',
    variable: 'KEYWARD_OLD_PKCS11',
    help: 'the pkcs11 settings are those of the key to replace',
  },
  'disk-processes': { type: 'string', variable: 'KEYWARD_DISK_PROCESSES', help: 'data plane processes (one per core)' },
  'nbd-port': { type: 'string', variable: 'KEYWARD_NBD_PORT', help: 'first NBD port, 0 for any (10809)' },
  'policy-propagation-seconds': {
    type: 'string',
    variable: 'KEYWARD_POLICY_PROPAGATION_SECONDS',
    help: 'delay before policies count, for tests (0)',
  },
  'audit-retention-days': {
    type: 'string',
    variable: 'KEYWARD_AUDIT_RETENTION_DAYS',
    help: 'how long audit records are kept, 0 for ever (0)',
  },
  'authorization-notice-days': {
    type: 'string',
    variable: 'KEYWARD_AUTHORIZATION_NOTICE_DAYS',
    help: 'days before the end of an authorization at which both accounts are told (7,1)',
  },
  'allow-private-webhooks': {
    type: 'boolean',
    variable: 'KEYWARD_ALLOW_PRIVATE_WEBHOOKS',
    help: 'webhooks may point inside, and speak plain HTTP',
  },
  'log-level': {
    type: 'string',
    variable: 'KEYWARD_LOG_LEVEL',
    help: 'trace, debug, info, warn, error, silent (info)',
  },
  revocation: {
    type: 'string',
    variable: 'KEYWARD_REVOCATION',
    help: 'of volumes in use: at-once, or until-stop (at-once)',
  },
  quotas: {
    type: 'string',
    variable: 'KEYWARD_QUOTAS',
    help: 'of each account, as volumes=1000,images=20 (IBM Cloud’s)',
  },
  'compute-driver': {
    type: 'string',
    variable: 'KEYWARD_COMPUTE_DRIVER',
    help: 'of instances: record, or qemu to run them here (record)',
  },
  qemu: { type: 'string', variable: 'KEYWARD_QEMU', help: 'its program (/usr/bin/qemu-system-x86_64)' },
  'machine-memory-max': {
    type: 'string',
    variable: 'KEYWARD_MACHINE_MEMORY_MAX',
    help: 'MiB that a machine gets at most (as its profile says)',
  },
  'machines-memory': {
    type: 'string',
    variable: 'KEYWARD_MACHINES_MEMORY',
    help: 'MiB that all machines get together (what the host has)',
  },
  clock: { type: 'string', variable: 'KEYWARD_CLOCK', help: 'of keys: system, or virtual for rehearsals (system)' },
  'check-replies': {
    type: 'boolean',
    variable: 'KEYWARD_CHECK_REPLIES',
    help: 'check each reply against its contract',
  },
  help: { type: 'boolean', variable: 'KEYWARD_HELP', help: 'this text' },
} as const satisfies Record<string, Setting>

type Name = keyof typeof settings
type Values = Partial<Record<Name, string | boolean>>

export function parseConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  coreCount: number,
): Config | 'help' {
  const given = fromArguments(args)
  const values: Values = { ...fromEnvironment(environment), ...given }
  if (isTrue(values.help)) return 'help'
  const text = (name: Name): string | null => {
    const value = values[name]
    if (value === '') throw refusal(`--${name} (${settings[name].variable}) is empty`)
    return typeof value === 'string' ? value : null
  }

  const host = text('host') ?? '127.0.0.1'
  const tls = tlsOf(text('tls-cert'), text('tls-key'))
  if (!isLoopback(host) && !tls && !isTrue(values.insecure)) {
    throw refusal(`--host ${host} is reachable from elsewhere: give --tls-cert and --tls-key, or say --insecure`)
  }
  const masterKeySettings = { environment, text, oldPkcs11: isTrue(values['old-pkcs11']) }

  const port = whole('port', text('port'), 8080, 0, 65_535)

  return Object.freeze<Config>({
    dataFolder: text('data') ?? './keyward-data',
    databaseUrl: databaseUrl(text('database'), typeof given.database === 'string'),
    host,
    port,
    cosPort: whole('cos-port', text('cos-port'), port === 0 ? 0 : Math.min(port + 1, 65_535), 0, 65_535),
    tls,
    publicUrl: publicUrl('public-url', text('public-url')),
    cosPublicUrl: publicUrl('cos-public-url', text('cos-public-url')),
    trustedProxies: trustedProxies(text('trusted-proxy')),
    region: region(text('region') ?? 'us-south'),
    masterKey: masterKeySource(masterKeySettings),
    oldMasterKey: oldMasterKeySource(masterKeySettings),
    diskProcessCount: whole('disk-processes', text('disk-processes'), coreCount, 1, 256),
    nbdPort: whole('nbd-port', text('nbd-port'), 10_809, 0, 65_000),
    policyPropagationSeconds: whole(
      'policy-propagation-seconds',
      text('policy-propagation-seconds'),
      0,
      0,
      policyPropagationSecondsMax,
    ),
    auditRetentionDays: whole('audit-retention-days', text('audit-retention-days'), 0, 0, auditRetentionDaysMax),
    authorizationNoticeDays: noticeDays(text('authorization-notice-days') ?? '7,1'),
    allowPrivateWebhooks: isTrue(values['allow-private-webhooks']),
    logLevel: logLevel(text('log-level') ?? 'info'),
    revocation: revocation(text('revocation') ?? 'at-once'),
    quotas: quotasOf(text('quotas')),
    computeDriver: computeDriver(text('compute-driver') ?? 'record'),
    qemuPath: text('qemu') ?? '/usr/bin/qemu-system-x86_64',
    machineMemoryMibMax: whole('machine-memory-max', text('machine-memory-max'), 999_999, machineMemoryMibMin, 999_999),
    machinesMemoryMib: optionalWhole('machines-memory', text('machines-memory'), machineMemoryMibMin, 999_999),
    clock: clockKind(text('clock') ?? 'system'),
    checkReplies: isTrue(values['check-replies']),
  })
}

export const helpText = (): string =>
  Object.entries(settings)
    .map(([name, { variable, help }]) => `  --${name.padEnd(27)} ${variable.padEnd(35)} ${help}`)
    .join('\n')

function fromArguments(args: readonly string[]): Values {
  try {
    return parseArgs({ args: [...args], options: settings, strict: true, allowPositionals: false }).values
  } catch (cause) {
    const sentence =
      cause instanceof Error ? (cause.message.split(/\. |\n/, 1)[0] ?? '') : 'arguments are not understood'
    throw new Fault('invalid', `${sentence}; --help lists the settings`)
  }
}

/** The command line's; somebody who works with both has them in one shell. */
const clientVariables: ReadonlySet<string> = new Set(['KEYWARD_API_KEY', 'KEYWARD_TARGET', 'KEYWARD_URL'])

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Values {
  const byVariable = new Map(Object.entries(settings).map(([name, { variable }]) => [variable as string, name]))
  const values: Record<string, string | boolean> = {}
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('KEYWARD_') || secretVariables.has(variable) || value === undefined) continue
    if (clientVariables.has(variable)) continue
    const name = byVariable.get(variable)
    if (!name) throw refusal(`environment variable ${variable} is not a setting; --help lists them`)
    values[name] = isSwitch(name) ? switched(variable, value) : value
  }
  return values
}

const isSwitch = (name: string): boolean =>
  Object.entries(settings).some(([n, s]) => n === name && s.type === 'boolean')

function switched(variable: string, value: string): boolean {
  if (/^(1|true|yes|on)$/i.test(value)) return true
  if (/^(0|false|no|off|)$/i.test(value)) return false
  throw refusal(`environment variable ${variable} is a switch: true or false`)
}

const isTrue = (value: string | boolean | undefined): boolean => value === true

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))

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

/** The nearest of them is told, so each counts once. */
function noticeDays(text: string): readonly number[] {
  const days = text.split(',').map((one) => (/^ *\d{1,3} *$/.test(one) ? Number(one) : Number.NaN))
  const isWhole = days.length <= noticeDaysMax && days.every((one) => one >= 1 && one <= noticeDaysAheadMax)
  if (isWhole && new Set(days).size === days.length) return days
  throw refusal(
    `--authorization-notice-days are up to ${noticeDaysMax} different whole numbers from 1 to ${noticeDaysAheadMax}, such as 7,1`,
  )
}

const optionalWhole = (name: Name, text: string | null, min: number, max: number): number | null =>
  text === null ? null : whole(name, text, min, min, max)

function publicUrl(name: Name, text: string | null): string | null {
  if (text === null) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol)) throw refusal(`--${name} must be an http or https URL`)
  if (url.username || url.password || url.search || url.hash) {
    throw refusal(`--${name} must be scheme, host, port and path and nothing else`)
  }
  return url.href.replace(/\/+$/, '')
}

/** Whoever may list processes reads their arguments. */
function databaseUrl(text: string | null, isArgument: boolean): string | null {
  if (text === null) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) {
    throw refusal('--database must look like postgres://user@host:5432/database')
  }
  if (isArgument && (url.password || url.searchParams.has('password'))) {
    throw refusal('--database must not hold the password: say it in KEYWARD_DATABASE, PGPASSWORD or a file PGPASSFILE')
  }
  return text
}

function trustedProxies(text: string | null): readonly string[] {
  const proxies = text === null ? [] : text.split(',').map((one) => one.trim())
  const wrong = proxies.find((one) => !isNetwork(one))
  if (wrong === undefined) return proxies
  throw refusal(`--trusted-proxy must be addresses and networks such as 127.0.0.1,10.0.0.0/8: ${wrong} is none`)
}

/** Of all addresses there is no network: whoever trusts them all lets clients choose theirs. */
function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || address.includes('%') || more !== undefined) return false
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

function region(text: string): string {
  if (!/^[a-z]{2}-[a-z]{2,6}$/.test(text)) throw refusal('--region must look like us-south')
  return text
}

const quotasOf = (text: string | null): Quotas => (text === null ? defaultQuotas : parseQuotas(text))

function revocation(text: string): Revocation {
  if (text === 'at-once' || text === 'until-stop') return text
  throw refusal('--revocation must be at-once or until-stop')
}

function computeDriver(text: string): Config['computeDriver'] {
  if (text === 'record' || text === 'qemu') return text
  throw refusal('--compute-driver must be record or qemu')
}

function clockKind(text: string): Config['clock'] {
  if (text === 'system' || text === 'virtual') return text
  throw refusal('--clock must be system or virtual')
}

function logLevel(text: string): LogLevel {
  const level = (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).find((name) => name === text)
  if (!level) throw refusal(`--log-level ${text} is not a level`)
  return level
}

const refusal = (message: string): Fault => new Fault('invalid', message)
