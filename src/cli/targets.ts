// Targets: which server, as whom. One file each, for its owner's eyes alone, since it holds an API key and the token that
// it was last exchanged for; written beside and moved into place, so that two commands at once, or one that is killed, leave
// a whole file. docs/formats.md, "Targets of the command line".

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './failure.ts'

export interface Target {
  readonly name: string
  readonly url: string
  readonly accountId: string
  readonly iamId: string
  readonly userName: string
  readonly apiKey: string
  /** A file of certificates to trust beside the usual ones. */
  readonly ca: string | null
  readonly token: CachedToken | null
}

export interface CachedToken {
  readonly value: string
  readonly renewAtMs: number
}

export interface Targets {
  readonly folder: string
  names(): readonly string[]
  /** The one that is meant when none is named; null where there is none yet. */
  current(): string | null
  use(name: string): void
  /** Throws a Failure where there is none of that name, or others can read it. */
  read(name: string): Target
  write(target: Target): void
  /** Writes the target's token down, unless the target was forgotten or has another API key meanwhile. */
  keepToken(target: Target): void
  remove(name: string): void
}

const suffix = '.json'
const isName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{0,62}$/.test(name)

export function checkTargetName(name: string): void {
  if (isName(name)) return
  throw new Failure('usage', `${JSON.stringify(name)} is no name for a target: letters, digits, dots, hyphens`)
}

/** `folder` is `$XDG_CONFIG_HOME/keyward`; it is made when there is something to keep. */
export function targetsIn(folder: string, uniqueName: () => string): Targets {
  const place = join(folder, 'targets')
  const currentPath = join(folder, 'current')
  const pathOf = (name: string): string => join(place, `${name}${suffix}`)

  function names(): readonly string[] {
    if (!existsSync(place)) return []
    return readdirSync(place)
      .filter((file) => file.endsWith(suffix) && isName(file.slice(0, -suffix.length)))
      .map((file) => file.slice(0, -suffix.length))
      .toSorted()
  }

  function current(): string | null {
    const name = existsSync(currentPath) ? readFileSync(currentPath, 'utf8').trim() : ''
    return name === '' ? null : name
  }

  function read(name: string): Target {
    checkTargetName(name)
    const path = pathOf(name)
    if (!existsSync(path)) {
      const known = names()
      const next = known.length === 0 ? `keyward login ${name}` : `there are: ${known.join(', ')}`
      throw new Failure('notFound', `there is no target ${name}`, { next })
    }
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new Failure('failed', `${path} holds an API key and others can read it`, { next: `chmod 600 ${path}` })
    }
    return parse(name, path)
  }

  function put(path: string, text: string): void {
    mkdirSync(place, { recursive: true, mode: 0o700 })
    const beside = `${path}.${uniqueName()}`
    const file = openSync(beside, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(beside, path)
  }

  function write(target: Target): void {
    checkTargetName(target.name)
    put(pathOf(target.name), `${JSON.stringify(written(target), null, 2)}\n`)
  }

  const use = (name: string): void => put(currentPath, `${name}\n`)
  return {
    folder,
    names,
    current,
    use,
    read,
    write,
    keepToken(target) {
      const isThere = existsSync(pathOf(target.name))
      if (isThere && read(target.name).apiKey === target.apiKey) write(target)
    },
    remove(name) {
      rmSync(pathOf(read(name).name))
      if (current() !== name) return
      const [next] = names()
      if (next === undefined) rmSync(currentPath)
      else use(next)
    },
  }
}

const written = ({ url, accountId, iamId, userName, apiKey, ca, token }: Target) => ({
  version: 1,
  url,
  account_id: accountId,
  iam_id: iamId,
  user_name: userName,
  api_key: apiKey,
  ca,
  token: token && { value: token.value, renew_at_ms: token.renewAtMs },
})

function parse(name: string, path: string): Target {
  const wrong = (cause?: unknown) =>
    new Failure('failed', `${path} is no target of this version`, { next: `keyward login ${name}`, cause })
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw wrong(cause)
  }
  if (typeof file !== 'object' || file === null || !('version' in file) || file.version !== 1) throw wrong()
  const text = (field: string): string => {
    const value: unknown = Reflect.get(file, field)
    if (typeof value !== 'string') throw wrong()
    return value
  }
  const ca: unknown = Reflect.get(file, 'ca')
  return {
    name,
    url: text('url'),
    accountId: text('account_id'),
    iamId: text('iam_id'),
    userName: text('user_name'),
    apiKey: text('api_key'),
    ca: typeof ca === 'string' ? ca : null,
    token: tokenOf(Reflect.get(file, 'token')),
  }
}

/** A token that cannot be read is fetched anew. */
function tokenOf(value: unknown): CachedToken | null {
  if (typeof value !== 'object' || value === null) return null
  const [token, renewAtMs]: unknown[] = [Reflect.get(value, 'value'), Reflect.get(value, 'renew_at_ms')]
  return typeof token === 'string' && typeof renewAtMs === 'number' ? { value: token, renewAtMs } : null
}
