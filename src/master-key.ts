// Where the master key comes from, and that it is the one this data was sealed under. It is made once, on a first run,
// and never silently replaced: new keys over old data would be data lost.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { timingSafeEqual } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { masterKeyBytes, masterKeyCheck } from '#crypto/sealed-record.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'
import type { Config } from './config.ts'

const checkName = 'master-key-check'

/** The master key, checked against the database. A first run makes the file; later runs must find it. */
export async function holdMasterKey(
  config: Pick<Config, 'masterKey'>,
  folder: string,
  database: Database,
  random: Random,
): Promise<SecretBytes> {
  const known = await readMeta(database, checkName)
  const source = config.masterKey
  const masterKey =
    source.from === 'value'
      ? parse(source.text, 'KEYWARD_MASTER_KEY')
      : fromFile(source.path, folder, known !== null, random)
  const check = masterKeyCheck(masterKey)
  if (known === null) {
    await database.transaction((tx) => writeMeta(tx, checkName, check))
  } else if (known.length !== check.length || !timingSafeEqual(known, check)) {
    masterKey[Symbol.dispose]()
    throw new Fault('unavailable', 'the master key is not the one that this data folder was sealed under')
  }
  return masterKey
}

function fromFile(given: string | null, folder: string, dataExist: boolean, random: Random): SecretBytes {
  const path = given ?? join(folder, 'master.key')
  if (!existsSync(path)) {
    if (dataExist)
      throw new Fault('unavailable', `the master key ${path} is missing, and this data folder was sealed under it`)
    create(path, random)
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new Fault('unavailable', `the master key ${path} can be read by others: chmod 600 it`)
  }
  return parse(readFileSync(path, 'latin1'), path)
}

/** Durable before anything is sealed under it. */
function create(path: string, random: Random): void {
  using key = SecretBytes.random(random, masterKeyBytes)
  const file = openSync(path, 'wx', 0o600)
  try {
    key.use((bytes) => writeSync(file, `${Buffer.from(bytes).toString('base64')}\n`))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  const parent = openSync(dirname(path), 'r')
  fsyncSync(parent)
  closeSync(parent)
}

function parse(text: string, source: string): SecretBytes {
  const bytes = new Uint8Array(Buffer.from(text.trim(), 'base64'))
  if (bytes.length !== masterKeyBytes) {
    throw new Fault('unavailable', `${source} does not hold a master key: ${masterKeyBytes} bytes as base64`)
  }
  return SecretBytes.own(bytes)
}
