// The machine: Node, what is compiled, the clients that open volumes, the kernel.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getFips } from 'node:crypto'
import type { Cli } from './context.ts'
import { fine, missing, wrong } from './doctor-finding.ts'
import type { Finding } from './doctor-finding.ts'

/** What the disk processes need at least: node:ffi is there from 26.1 on; bin/keyward.mjs refuses below 26.9. */
const nodeNeeded = [26, 9] as const

export function checkNode(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isEnough = major > nodeNeeded[0] || (major === nodeNeeded[0] && minor >= nodeNeeded[1])
  return [
    isEnough
      ? fine('Node', process.versions.node)
      : wrong('Node', process.versions.node, `${nodeNeeded.join('.')} or later: npm ci brings it on Linux`),
  ]
}

export function checkNative(): Finding[] {
  const ffi: unknown = process.platform === 'linux' ? process.getBuiltinModule('node:ffi') : undefined
  return [
    ffi
      ? fine('fast data plane', `node:ffi, OpenSSL ${process.versions.openssl}${getFips() === 1 ? ', FIPS' : ''}`)
      : missing(
          'fast data plane',
          'no node:ffi: sectors are encrypted call by call',
          'Linux, and the Node that npm ci brings',
        ),
    isInstalled('pkcs11js')
      ? fine('PKCS#11', 'pkcs11js is there: the master key may be in a token')
      : missing('PKCS#11', 'pkcs11js was not built', 'apt-get install g++ make python3, then npm ci; only for tokens'),
  ]
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url)(name)
    return true
  } catch {
    return false
  }
}

const clients = [
  {
    what: 'libnbd',
    program: 'nbdinfo',
    args: ['--version'],
    packages: 'libnbd-bin',
    use: 'opens volumes; `keyward connect`',
  },
  {
    what: 'nbdsh',
    program: '/usr/bin/python3',
    args: ['-c', 'import nbd; print("libnbd", nbd.NBD().get_version())'],
    packages: 'python3-libnbd',
    use: 'the tour',
  },
  {
    what: 'QEMU',
    program: 'qemu-img',
    args: ['--version'],
    packages: 'qemu-utils',
    use: 'opens volumes, converts images',
  },
  {
    what: 'nbd-client',
    program: 'nbd-client',
    args: ['--version'],
    packages: 'nbd-client',
    use: 'block devices on the machine of the server',
  },
  {
    what: 'cryptsetup',
    program: 'cryptsetup',
    args: ['--version'],
    packages: 'cryptsetup-bin',
    use: 'opens images of the data folder by hand',
  },
] as const

export const checkClients = ({ environment }: Cli): Finding[] =>
  clients.map(({ what, program, args, packages, use }) => {
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: 5000,
      // Administrators' programs are not on everybody's path.
      env: { PATH: `${environment['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
    })
    const [line = ''] = `${stdout ?? ''}${stderr ?? ''}`.split('\n')
    return error || (status !== 0 && !/version/i.test(line))
      ? missing(what, `not installed: ${use}`, `apt-get install ${packages}`)
      : fine(what, line)
  })

export function checkKernel(): Finding[] {
  if (process.platform !== 'linux') return [missing('kernel nbd', 'not Linux', 'use libnbd or QEMU')]
  if (existsSync('/sys/module/nbd')) return [fine('kernel nbd', 'loaded')]
  const release = textOf('/proc/sys/kernel/osrelease')
  const known = ['modules.dep', 'modules.builtin'].some((file) =>
    /\/nbd\.ko/.test(textOf(`/lib/modules/${release}/${file}`)),
  )
  return [
    known
      ? missing('kernel nbd', 'there, and not loaded', 'sudo modprobe nbd; only for nbd-client')
      : missing('kernel nbd', 'this kernel has no module nbd', 'use libnbd or QEMU; only for nbd-client'),
  ]
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
