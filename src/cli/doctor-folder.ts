// The data folder of a server on this machine: whose it is, what others can read, the master key, the room left.

import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fine, missing, wrong } from './doctor-finding.ts'
import type { Finding } from './doctor-finding.ts'

const gib = 1024 ** 3
/** Below this the database of a busy server is full before somebody has read the warning. */
const roomMinBytes = gib
/** A key file holds 32 bytes, as they are or as base64 (docs/formats.md). */
const masterKeyBytesMax = 64

export async function checkFolder(folder: string, isNamed: boolean): Promise<Finding[]> {
  const path = resolve(folder)
  if (!existsSync(path)) {
    const text = `${path} is not there`
    if (!isNamed)
      return [missing('data folder', `${text}: no server runs on it here`, 'npm start makes it, or name it by --data')]
    return [wrong('data folder', text, 'npm start makes it; or name another by --data')]
  }
  return [folderFinding(path), ...secretFindings(path), room(path)]
}

function folderFinding(path: string): Finding {
  const { mode, uid } = statSync(path)
  if (!isReadable(path)) return wrong('data folder', `${path} is not yours to read`, 'run doctor as the server’s user')
  if ((mode & 0o077) !== 0) return wrong('data folder', `${path} is open to others`, `chmod 700 ${path}`)
  const who = process.getuid?.()
  return who !== undefined && uid !== who
    ? missing('data folder', `${path} is of user ${uid}, and you are ${who}`, 'the server must run as its owner')
    : fine('data folder', path)
}

function secretFindings(path: string): Finding[] {
  const key = join(path, 'master.key')
  const found = [
    existsSync(key)
      ? masterKey(key)
      : missing('master key', `not in ${path}`, 'fine where a passphrase, a token or the environment has it'),
  ]
  for (const name of ['keyward.db', 'operator.token', 'bootstrap.json']) {
    const file = join(path, name)
    if (!existsSync(file)) continue
    if ((statSync(file).mode & 0o077) !== 0) found.push(wrong(name, 'others can read it', `chmod 600 ${file}`))
  }
  return found
}

function masterKey(path: string): Finding {
  const { mode, size } = statSync(path)
  if ((mode & 0o077) !== 0) return wrong('master key', `${path} can be read by others`, `chmod 600 ${path}`)
  if (!isReadable(path)) return wrong('master key', `${path} cannot be read`, 'run doctor as the server’s user')
  if (size === 0 || size > masterKeyBytesMax || readFileSync(path).length !== size) {
    return wrong(
      'master key',
      `${path} holds ${size} bytes: that is no master key`,
      'bring back the copy that you keep',
    )
  }
  return fine('master key', `${path}; keep a copy apart from the backups`)
}

function room(path: string): Finding {
  const { bavail, bsize } = statfsSync(path)
  const free = Number(bavail) * Number(bsize)
  const text = `${(free / gib).toFixed(1)} GiB free under ${path}`
  return free < roomMinBytes
    ? wrong('disk space', text, 'make room: with a full disk the server answers 503 and volumes stop taking writes')
    : fine('disk space', text)
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
