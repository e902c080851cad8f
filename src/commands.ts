// The commands that work on the data folder itself, and so need its files and its master key rather than a token:
// backup, restore, moving it to another engine, and the replacement of the master key. Everything else is a client of the API.

import { existsSync } from 'node:fs'
import { systemClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { backUp } from '#maintenance/backup.ts'
import type { BackupManifest } from '#maintenance/manifest.ts'
import { moveDatabase } from '#maintenance/move.ts'
import { restore, verifyBackup } from '#maintenance/restore.ts'
import { rotateMasterKey } from '#maintenance/rotation.ts'
import { providerOf } from '#master-key/sources.ts'
import { databasePathIn } from '#store/data-folder.ts'
import { openPostgres } from '#store/postgres.ts'
import { isBootstrapped } from './bootstrap.ts'
import type { Config } from './config.ts'
import { sealedTables } from './sealed-tables.ts'

export const commandsHelp = `commands
  backup --to FILE                        the control plane's state, encrypted under the master key; the server may run
  restore --from FILE --verify            whether FILE can be restored with this master key
  restore --from FILE --data FOLDER       into a folder without a database
  database move --data FOLDER             the state of a stopped server into --database postgres://...
  master-key rotate                       a new master key, and everything sealed under it; the server may run
  login, keys, volumes, connect ...       a client of the API, with an account's API key; keyward help lists them`

type Settings = Config & { readonly to: string | null; readonly from: string | null; readonly verify: boolean }

export interface Command {
  readonly run: (settings: Settings, say: (sentence: string) => void) => Promise<void>
  /** What is left for the settings. */
  readonly args: readonly string[]
  readonly options: Pick<Settings, 'to' | 'from' | 'verify'>
}

const commands: Readonly<Record<string, { readonly run: Command['run']; readonly options: readonly string[] }>> = {
  backup: { run: runBackup, options: ['to'] },
  restore: { run: runRestore, options: ['from', 'verify'] },
  'database move': { run: runMove, options: [] },
  'master-key rotate': { run: runRotation, options: [] },
}

/** Null where the arguments begin with a setting: that is the server. */
export function commandOf(args: readonly string[]): Command | null {
  const firstSetting = args.findIndex((arg) => arg.startsWith('-'))
  const words = args.slice(0, firstSetting === -1 ? args.length : firstSetting)
  if (words.length === 0) return null
  const command = Object.hasOwn(commands, words.join(' ')) ? commands[words.join(' ')] : undefined
  if (!command) throw new Fault('invalid', `no command ${JSON.stringify(words.join(' '))}; --help lists them`)
  const rest = args.slice(words.length)
  const taken = takeOptions(rest, command.options)
  return { run: command.run, ...taken }
}

function takeOptions(args: readonly string[], names: readonly string[]): Pick<Command, 'args' | 'options'> {
  const left: string[] = []
  const options = { to: null as string | null, from: null as string | null, verify: false }
  for (let i = 0; i < args.length; i += 1) {
    const [, name = '', , inline] = /^--([a-z]+)(=(.*))?$/.exec(args[i] ?? '') ?? []
    if (!names.includes(name)) left.push(args[i] ?? '')
    else if (name === 'verify') options.verify = true
    else if (name === 'to' || name === 'from') options[name] = inline ?? args[++i] ?? null
  }
  return { args: left, options }
}

async function runBackup(settings: Settings, say: (sentence: string) => void): Promise<void> {
  if (settings.to === null) throw new Fault('invalid', 'backup needs --to FILE')
  refuseForeignDatabase(settings)
  const { version } = await import('../package.json', { with: { type: 'json' } }).then((file) => file.default)
  const manifest = await backUp({
    databasePath: databasePathIn(settings.dataFolder),
    to: settings.to,
    provider: present(settings),
    clock: systemClock,
    random: systemRandom,
    program: `keyward ${version}`,
  })
  say(`${settings.to} holds ${contents(manifest)}. Keep the master key elsewhere: without it the file opens for nobody`)
}

function refuseForeignDatabase({ databaseUrl }: Settings): void {
  if (databaseUrl === null) return
  throw new Fault(
    'invalid',
    'PostgreSQL is backed up with its own tools: pg_dump, pg_basebackup, or an archive of its log',
  )
}

async function runRestore(settings: Settings, say: (sentence: string) => void): Promise<void> {
  const { from, dataFolder } = settings
  if (from === null) throw new Fault('invalid', 'restore needs --from FILE')
  refuseForeignDatabase(settings)
  const parts = { from, provider: present(settings), tables: sealedTables }
  if (settings.verify) return say(`${from} can be restored: ${contents(await verifyBackup(parts))}`)
  const manifest = await restore({ ...parts, dataFolder })
  say(`${dataFolder} holds ${contents(manifest)}`)
}

async function runMove({ dataFolder, databaseUrl: url }: Settings, say: (sentence: string) => void): Promise<void> {
  if (url === null) throw new Fault('invalid', 'database move needs --database postgres://...')
  const openTarget = () => openPostgres({ url })
  const { rows, keptPath } = await moveDatabase({ dataFolder, openTarget, isInUse: isBootstrapped })
  say(`${sum(rows)} rows were moved. Start with --database from now on; ${keptPath} is kept until you delete it`)
}

async function runRotation(settings: Settings, say: (sentence: string) => void): Promise<void> {
  const { dataFolder, databaseUrl, oldMasterKey } = settings
  if (databaseUrl === null && !existsSync(databasePathIn(dataFolder)))
    throw new Fault('not_found', `there is no database in ${dataFolder}`)
  await rotateMasterKey({
    dataFolder,
    databaseUrl,
    providers: {
      present: present(settings),
      old: oldMasterKey && providerOf(oldMasterKey, dataFolder, systemRandom),
    },
    tables: sealedTables,
    clock: systemClock,
    log: makeLog(settings.logLevel),
    say,
  })
}

const present = ({ masterKey, dataFolder }: Settings) => providerOf(masterKey, dataFolder, systemRandom)

const contents = ({ createdAt, program, rows, databaseBytes }: BackupManifest): string => {
  return `the state of ${createdAt} (${program}, ${sum(rows)} rows, ${databaseBytes} bytes)`
}

const sum = (rows: Readonly<Record<string, number>>): number =>
  Object.values(rows).reduce((total, each) => total + each, 0)
