// A token in SoftHSM2, in a folder of its own. Null where SoftHSM2 or the package pkcs11js is not there: tests then skip
// and say what they need.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SoftToken {
  readonly modulePath: string
  readonly tokenLabel: string
  readonly pin: string
  readonly pinFile: string
  /** As `SOFTHSM2_CONF`; already in this process's environment. */
  readonly configuration: string
  remove(): void
}

export const softHsmMissing: string | false = missing()

function missing(): string | false {
  if (!modulePath() || spawnSync('softhsm2-util', ['--version']).error) return 'needs the Debian package softhsm2'
  try {
    createRequire(import.meta.url).resolve('pkcs11js')
    return false
  } catch {
    return 'needs the npm package pkcs11js, which needs a C++ compiler'
  }
}

export function makeToken(): SoftToken {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-hsm-'))
  const tokens = join(folder, 'tokens')
  mkdirSync(tokens, { mode: 0o700 })
  const configuration = join(folder, 'softhsm2.conf')
  writeFileSync(configuration, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`)
  // The module reads it when it is loaded, in this process and in those it starts.
  process.env['SOFTHSM2_CONF'] = configuration
  const [tokenLabel, pin] = ['keyward test', '7591-pin']
  const pinFile = join(folder, 'pin')
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 })
  const made = spawnSync(
    'softhsm2-util',
    ['--init-token', '--free', '--label', tokenLabel, '--so-pin', '12345678', '--pin', pin],
    { encoding: 'utf8', env: { ...process.env, SOFTHSM2_CONF: configuration } },
  )
  if (made.status !== 0) throw new Error(`softhsm2-util: ${made.stderr}`)
  const path = modulePath()
  if (!path) throw new Error('no SoftHSM module')
  return {
    modulePath: path,
    tokenLabel,
    pin,
    pinFile,
    configuration,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function modulePath(): string | null {
  const folders = ['/usr/lib/softhsm', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'softhsm'))]
  return folders.map((folder) => join(folder, 'libsofthsm2.so')).find((path) => existsSync(path)) ?? null
}
