// The credential of whoever runs the server: <data>/operator.token, 0600, made on the first run. The server keeps a hash of
// it, so the file may be taken elsewhere. A file that is there counts: writing another token into it, and starting again,
// replaces the old one.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { hashOperatorToken } from '#iam/operator-access.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'

const metaName = 'operator-token-hash'
const tokenBytes = 32
/** A token that the operator wrote has to be as hard to guess as ours. */
const tokenLengthMin = 32

export async function operatorTokenHash(folder: string, database: Database, random: Random): Promise<Uint8Array> {
  const path = join(folder, 'operator.token')
  const known = await readMeta(database, metaName)
  if (known && !existsSync(path)) return known
  // The file first: a crash in between leaves a token that counts from the next start on.
  if (!existsSync(path)) write(path, Buffer.from(random.bytes(tokenBytes)).toString('base64url'))
  const token = readFileSync(path, 'utf8').trim()
  if (token.length < tokenLengthMin || /\s/.test(token)) {
    throw new Fault('invalid', `${path} holds no token: at least ${tokenLengthMin} characters without spaces`)
  }
  const hash = hashOperatorToken(token)
  if (!known || Buffer.compare(known, hash) !== 0) await database.transaction((tx) => writeMeta(tx, metaName, hash))
  return hash
}

function write(path: string, token: string): void {
  const fresh = `${path}.new`
  const file = openSync(fresh, 'w', 0o600)
  try {
    writeSync(file, `${token}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
}
