// What a command finds around it: who is signed in, somebody to ask, somewhere to print. Made once by main.ts.

import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Clock } from '#base/clock.ts'
import type { Asker } from './ask.ts'
import { Failure } from './failure.ts'
import { makeSession } from './session.ts'
import type { Session, TokenSource } from './session.ts'
import type { Paper, Shown } from './shown.ts'
import type { Target, Targets } from './targets.ts'
import { exchange } from './tokens.ts'

export interface Globals {
  readonly target: string | undefined
  readonly json: boolean
  readonly quiet: boolean
}

export interface Cli {
  readonly clock: Clock
  readonly asker: Asker
  readonly targets: Targets
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly globals: Globals
  /** Ends what would go on for ever, such as following notices. */
  readonly ending: AbortSignal
  /** Whoever is signed in; the same every time. */
  session(): Promise<Session>
  /** Of the target that is meant, whoever it is. */
  target(): Target
  /** A sentence for people on the way, beside the outcome: on standard error, and not with --quiet. */
  say(sentence: string): void
  /** Prints an outcome now, of several. */
  show(shown: Shown): void
  pause(ms: number): Promise<void>
}

/** The address of a server that was started without settings. */
export const usualUrl = 'http://127.0.0.1:8080'

export interface Streams {
  readonly out: NodeJS.WriteStream
  readonly error: NodeJS.WriteStream
}

export function makeCli(
  parts: Pick<Cli, 'clock' | 'asker' | 'targets' | 'environment' | 'ending' | 'globals'> & {
    readonly streams: Streams
  },
): Cli {
  const { clock, targets, environment, globals, ending, streams } = parts
  let known: Promise<Session> | null = null

  function target(): Target {
    const named = globals.target ?? environment['KEYWARD_TARGET']
    const name = named ?? targets.current()
    if (name !== null && name !== undefined && name !== '') return targets.read(name)
    throw new Failure('denied', 'nobody is signed in', { next: 'keyward login' })
  }

  async function signIn(): Promise<Session> {
    const apiKey = environment['KEYWARD_API_KEY']
    // A name that was given is meant; a key in the environment is meant before what was last used.
    if (apiKey && !globals.target && !environment['KEYWARD_TARGET']) {
      const url = checkUrl(environment['KEYWARD_URL'] ?? usualUrl, false)
      const first = await exchange(url, apiKey.trim(), clock.now())
      let value = first.value
      const source: TokenSource = {
        async token(wanted) {
          if (wanted === 'fresh') value = (await exchange(url, apiKey.trim(), clock.now())).value
          return { value, isFresh: true }
        },
      }
      return makeSession({ ...first, url, target: null, source })
    }
    const chosen = target()
    trust(chosen.ca)
    return makeSession({ ...chosen, target: chosen.name, source: cachedTokens(chosen, targets, clock) })
  }

  return {
    ...parts,
    target,
    session: () => (known ??= signIn()),
    say(sentence) {
      if (!globals.quiet) streams.error.write(`${sentence}\n`)
    },
    show: (shown) => print(shown, globals, streams.out, environment),
    pause: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        ending.addEventListener('abort', () => {
          clearTimeout(timer)
          resolve()
        })
      }),
  }
}

function cachedTokens(first: Target, targets: Targets, clock: Clock): TokenSource {
  let target = first
  return {
    async token(wanted) {
      const { token, url, apiKey } = target
      if (wanted !== 'fresh' && token && token.renewAtMs > clock.now()) return { value: token.value, isFresh: false }
      const made = await exchange(url, apiKey, clock.now())
      target = { ...target, token: { value: made.value, renewAtMs: made.renewAtMs } }
      targets.keepToken(target)
      return { value: made.value, isFresh: true }
    },
  }
}

/** Certificates beside the usual ones, for the whole process: it speaks to one server. */
export function trust(ca: string | null): void {
  if (ca === null) return
  let pem: string
  try {
    pem = readFileSync(ca, 'utf8')
  } catch (cause) {
    throw new Failure('failed', `${ca}, which this target trusts, cannot be read`, { cause })
  }
  setDefaultCACertificates([...getCACertificates('default'), pem])
}

/** Scheme, host and port; an API key goes there, so not in the clear over a network unless somebody says so. */
export function checkUrl(text: string, insecure: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new Failure('usage', `${JSON.stringify(text)} is no address of a server, such as ${usualUrl}`)
  }
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && !isHere && !insecure) {
    throw new Failure('usage', `${url.origin} would receive the API key in the clear`, {
      next: 'use https, or say --insecure where the network is yours',
    })
  }
  return url.href.replace(/\/+$/, '')
}

function print(shown: Shown, globals: Globals, out: NodeJS.WriteStream, environment: Cli['environment']): void {
  if (globals.json) {
    if (shown.body !== undefined) out.write(`${JSON.stringify(shown.body, null, shown.oneLine ? 0 : 2)}\n`)
  } else if (globals.quiet) {
    for (const id of shown.ids ?? []) out.write(`${id}\n`)
  } else if (shown.text) {
    const text = shown.text(paperOf(out, environment))
    if (text !== '') out.write(`${text}\n`)
  }
}

/** no-color.org: colours are for terminals, and for nobody who has said NO_COLOR. */
function paperOf(out: NodeJS.WriteStream, environment: Cli['environment']): Paper {
  const columns = (out.isTTY && out.columns) || Number(environment['COLUMNS']) || 80
  return { columns, color: out.isTTY === true && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb' }
}
