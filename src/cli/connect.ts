// How this machine opens an attached volume: a connection is issued, its secret goes into a file, and the command of
// whichever NBD client one has is printed, or run.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { volumeWhyNot } from '#client/words.ts'
import { attachmentOf } from './attachments.ts'
import { command, text } from './command.ts'
import { dropSecret, writeSecret } from './connection-secret.ts'
import type { Connection, SecretFile } from './connection-secret.ts'
import { Failure } from './failure.ts'
import { findVolume } from './find.ts'
import { details } from './shown.ts'

interface Way {
  readonly help: string
  readonly line: (uri: string, connection: Connection, secret: SecretFile) => string
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const qemuOptions = ({ uri, tls }: Connection, { folder }: SecretFile): string => {
  const { hostname, port, pathname } = new URL(uri)
  const name = decodeURIComponent(pathname.slice(1))
  const credentials = `tls-creds-psk,id=tls0,dir=${folder},endpoint=client,username=${tls.psk_identity}`
  const host = hostname.replaceAll(/[[\]]/g, '')
  return `--object ${quoted(credentials)} --image-opts ${quoted(`driver=nbd,server.type=inet,server.host=${host},server.port=${port},export=${name},tls-creds=tls0`)}`
}

const unixOf = ({ unix_uri: unix }: Connection): { readonly socket: string; readonly name: string } => {
  const url = new URL(unix)
  return { socket: url.searchParams.get('socket') ?? '', name: decodeURIComponent(url.pathname.slice(1)) }
}

const ways = {
  nbdinfo: { help: 'look at it', line: (uri) => `nbdinfo ${quoted(uri)}` },
  nbdcopy: { help: 'fill it from an image', line: (uri) => `nbdcopy image.raw ${quoted(uri)}` },
  nbdsh: {
    help: 'script it',
    line: (uri) => `nbdsh -c ${quoted(`h.set_uri_allow_local_file(True); h.connect_uri("${uri}")`)}`,
  },
  nbdfuse: {
    help: 'have it as a file, to mount',
    line: (uri) => `mkdir -p volume && nbdfuse volume/disk ${quoted(uri)}`,
  },
  'qemu-img': {
    help: 'look at it by QEMU',
    line: (_, connection, secret) => `qemu-img info ${qemuOptions(connection, secret)}`,
  },
  'nbd-client': {
    help: 'as a block device, on the machine of the server',
    line(_, connection) {
      const { socket, name } = unixOf(connection)
      return `sudo modprobe nbd && sudo nbd-client -unix ${quoted(socket)} -N ${quoted(name)} /dev/nbd0`
    },
  },
} as const satisfies Readonly<Record<string, Way>>

const wayNames = [
  'nbdinfo',
  'nbdcopy',
  'nbdsh',
  'nbdfuse',
  'qemu-img',
  'nbd-client',
] as const satisfies (keyof typeof ways)[]

export const connectCommand = command({
  name: 'connect',
  summary: 'Open an attached volume from this machine: print the command of an NBD client, or run one',
  description:
    'The secret is in a file that only you can read, never in a command line. Behind `--` stands a command to run: {uri} in it becomes the NBD URI, and the secret is gone when it ends. `--json` has the path of the file in place of the secret.',
  args: [
    { name: 'volume', help: 'name, id or CRN', kind: 'volume' },
    { name: 'command', help: 'behind --: what to run', rest: true },
  ],
  options: {
    instance: text('INSTANCE', 'where it is attached to several', { kind: 'instance' }),
    with: text('CLIENT', 'print only the command of this one', { choices: wayNames }),
  },
  examples: [
    ['connect data', 'Say how'],
    ['connect data -- nbdcopy image.raw {uri}', 'Fill it from an image'],
    ['connect data --with qemu-img | sh', 'By QEMU'],
  ],
  async run(cli, given) {
    const session = await cli.session()
    const volume = await findVolume(session, given.volume)
    const attachment = await attachmentOf(session, volume, given.instance)
    const whyNot = volumeWhyNot('connect', volume.status)
    if (whyNot) throw new Failure('conflict', whyNot, { next: `keyward explain ${volume.name}` })
    const path = { instance_id: attachment.instance.id, id: attachment.id }
    const connection = await session.call('keyward', 'createConnection', { path })
    const secret = writeSecret(cli, attachment.id, connection)
    const uri = `${connection.uri}?tls-psk-file=${secret.path}`
    const [program, ...args] = given.command
    if (program !== undefined) {
      try {
        return {
          exitCode: await runIt(
            program,
            args.map((one) => one.replaceAll('{uri}', uri)),
          ),
        }
      } finally {
        dropSecret(cli, attachment.id)
      }
    }
    const chosen = given.with
    return {
      body: {
        ...connection,
        tls: { psk_identity: connection.tls.psk_identity, psk_file: secret.path },
      },
      ids: [uri],
      text: (paper) =>
        chosen
          ? ways[chosen].line(uri, connection, secret)
          : [
              details(paper, [
                ['URI', uri],
                ['on the server', connection.unix_uri],
                ['until', connection.expires_at],
              ]),
              '',
              ...wayNames.map((name) => `# ${ways[name].help}\n${ways[name].line(uri, connection, secret)}`),
            ].join('\n'),
    }
  },
})

/** With this terminal; gives its exit code. What ends us ends it, and not us before it. */
async function runIt(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' })
  // ^C goes to all of the foreground by itself.
  const stay = (): void => undefined
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', stay).on('SIGTERM', pass).on('SIGHUP', pass)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new Failure('failed', `${program} cannot be run`, { cause, next: 'keyward doctor' })),
      )
      child.once('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
    })
  } finally {
    process.off('SIGINT', stay).off('SIGTERM', pass).off('SIGHUP', pass)
  }
}
