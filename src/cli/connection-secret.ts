// The secret of a connection in a file for its owner alone, named and written as both libnbd and QEMU read it.

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer } from '#client/operations.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'

export type Connection = Answer<'keyward', 'createConnection'>

/** QEMU's `tls-creds-psk` takes a folder and reads this file of it. */
const fileName = 'keys.psk'

export interface SecretFile {
  readonly folder: string
  readonly path: string
}

/** Gone with the session where there is such a folder; else beside the targets. */
function folderFor({ environment, targets }: Cli, attachmentId: string): string {
  const runtime = environment['XDG_RUNTIME_DIR']
  const base = runtime?.startsWith('/') ? join(runtime, 'keyward') : targets.folder
  return join(base, 'connections', attachmentId.replaceAll(/[^\w.-]/g, '_'))
}

export function writeSecret(cli: Cli, attachmentId: string, { tls }: Connection): SecretFile {
  const folder = folderFor(cli, attachmentId)
  const path = join(folder, fileName)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // Beside and then in its place: whoever reads it meanwhile reads the old one or the new one.
    rmSync(`${path}.new`, { force: true })
    writeFileSync(`${path}.new`, `${tls.psk_identity}:${tls.psk_key}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(`${path}.new`, path)
  } catch (cause) {
    throw new Failure('failed', `the secret cannot be written to ${path}`, { cause })
  }
  return { folder, path }
}

export const dropSecret = (cli: Cli, attachmentId: string): void =>
  rmSync(folderFor(cli, attachmentId), { recursive: true, force: true })
