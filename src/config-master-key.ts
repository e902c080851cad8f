// Which source the master key comes from, out of the settings. Secrets come by file or by environment: as a flag they
// would stand in the process list.

import { Fault } from '#base/fault.ts'

export type MasterKeySource =
  /** Null for the file in the data folder. */
  | { readonly from: 'file'; readonly path: string | null }
  | { readonly from: 'value'; readonly text: string; readonly variable: string }
  | { readonly from: 'passphrase'; readonly secret: SecretSource }
  | { readonly from: 'pkcs11'; readonly modulePath: string; readonly tokenLabel: string; readonly pin: SecretSource }

export type SecretSource = { readonly path: string } | { readonly text: string; readonly name: string }

export const secretVariables: ReadonlySet<string> = new Set([
  'KEYWARD_MASTER_KEY',
  'KEYWARD_PASSPHRASE',
  'KEYWARD_PKCS11_PIN',
  'KEYWARD_OLD_MASTER_KEY',
  'KEYWARD_OLD_PASSPHRASE',
])

type TextSetting =
  | 'master-key-file'
  | 'passphrase-file'
  | 'pkcs11-module'
  | 'pkcs11-token'
  | 'pkcs11-pin-file'
  | 'old-master-key-file'
  | 'old-passphrase-file'

export interface MasterKeySettings {
  readonly environment: Readonly<Record<string, string | undefined>>
  text(name: TextSetting): string | null
  readonly oldPkcs11: boolean
}

/** The file in the data folder where nothing else is set. */
export function masterKeySource(settings: MasterKeySettings): MasterKeySource {
  const sources = [...bytesSources(settings, ''), ...(settings.oldPkcs11 ? [] : pkcs11Source(settings))]
  return onlyOne(sources) ?? { from: 'file', path: null }
}

export function oldMasterKeySource(settings: MasterKeySettings): MasterKeySource | null {
  const pkcs11 = settings.oldPkcs11 ? pkcs11Source(settings) : []
  if (settings.oldPkcs11 && pkcs11.length === 0) throw refusal('--old-pkcs11 needs --pkcs11-module and its token')
  return onlyOne([...bytesSources(settings, 'old-'), ...pkcs11])
}

function bytesSources({ environment, text }: MasterKeySettings, prefix: '' | 'old-'): MasterKeySource[] {
  const variablePrefix = prefix === '' ? 'KEYWARD_' : 'KEYWARD_OLD_'
  const sources: MasterKeySource[] = []
  const keyPath = text(`${prefix}master-key-file`)
  if (keyPath !== null) sources.push({ from: 'file', path: keyPath })
  const keyVariable = `${variablePrefix}MASTER_KEY`
  const keyText = environment[keyVariable]
  if (keyText) sources.push({ from: 'value', text: keyText, variable: keyVariable })
  const secret = secretOf(text(`${prefix}passphrase-file`), environment, `${variablePrefix}PASSPHRASE`)
  if (secret) sources.push({ from: 'passphrase', secret })
  return sources
}

function pkcs11Source({ environment, text }: MasterKeySettings): MasterKeySource[] {
  const [modulePath, tokenLabel] = [text('pkcs11-module'), text('pkcs11-token')]
  const pin = secretOf(text('pkcs11-pin-file'), environment, 'KEYWARD_PKCS11_PIN')
  if (modulePath === null && tokenLabel === null && pin === null) return []
  if (modulePath === null || tokenLabel === null || pin === null) {
    throw refusal('--pkcs11-module, --pkcs11-token and the PIN (--pkcs11-pin-file or KEYWARD_PKCS11_PIN) go together')
  }
  return [{ from: 'pkcs11', modulePath, tokenLabel, pin }]
}

function secretOf(
  path: string | null,
  environment: MasterKeySettings['environment'],
  variable: string,
): SecretSource | null {
  const value = environment[variable]
  if (path !== null && value) throw refusal(`${variable} and ${variable}_FILE are both set`)
  if (path !== null) return { path }
  return value ? { text: value, name: variable } : null
}

function onlyOne(sources: readonly MasterKeySource[]): MasterKeySource | null {
  if (sources.length <= 1) return sources[0] ?? null
  const names = sources.map((source) => words[source.from]).join(' and ')
  throw refusal(`${names} are both set: a master key has one source`)
}

const words = {
  file: '--master-key-file',
  value: 'KEYWARD_MASTER_KEY',
  passphrase: 'a passphrase',
  pkcs11: '--pkcs11-module',
} as const

const refusal = (message: string): Fault => new Fault('invalid', message)
