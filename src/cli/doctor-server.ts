// The server of the target, and who is signed in there.

import { connect } from 'node:net'
import { usualUrl } from './context.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'
import { reach } from './http.ts'
import { fine, missing, wrong } from './doctor-finding.ts'
import type { Finding } from './doctor-finding.ts'
import { version } from './session.ts'

/** Tokens have times in them, and the server looks at them by its clock. */
const skewMaxMs = 30_000
const answerMs = 10_000
const nbdPort = 10_809

export function checkTargets({ targets, environment }: Cli): Finding[] {
  if (environment['KEYWARD_API_KEY']) return [fine('signed in', 'by KEYWARD_API_KEY')]
  const names = targets.names()
  if (names.length === 0) return [missing('signed in', 'no target yet', 'keyward login')]
  const current = targets.current() ?? ''
  const broken = names.flatMap((name) => {
    try {
      targets.read(name)
      return []
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return [wrong(`target ${name}`, error.message, error.next ?? `keyward login ${name}`)]
    }
  })
  return [fine('signed in', `targets ${names.join(', ')}; current: ${current}`), ...broken]
}

function addressOf({ targets, globals, environment }: Cli, given: string | undefined): string {
  if (given !== undefined) return given
  const name = globals.target ?? environment['KEYWARD_TARGET'] ?? targets.current()
  try {
    return name ? targets.read(name).url : (environment['KEYWARD_URL'] ?? usualUrl)
  } catch {
    return usualUrl
  }
}

export async function checkServer(cli: Cli, given: string | undefined): Promise<Finding[]> {
  const url = addressOf(cli, given)
  if (!URL.canParse(url)) return [wrong('server', `${url} is no address`, `such as ${usualUrl}`)]
  const asked = cli.clock.now()
  let response: Response
  try {
    const signal = AbortSignal.timeout(answerMs)
    response = await reach(`${url}/identity/.well-known/openid-configuration`, { signal })
  } catch (error) {
    return [
      given === undefined && cli.targets.current() === null
        ? missing(
            'server',
            String(error instanceof Error ? error.message : error),
            'npm start; or --url where it is elsewhere',
          )
        : wrong(
            'server',
            String(error instanceof Error ? error.message : error),
            'npm start; or --url where it is elsewhere',
          ),
    ]
  }
  const answered = cli.clock.now()
  const body: unknown = await response.json().catch(() => null)
  const isOurs = response.ok && typeof body === 'object' && body !== null && 'token_endpoint' in body
  if (!isOurs)
    return [wrong('server', `${url} answers ${response.status}, and not as Keyward does`, 'look at the address')]
  return [
    fine('server', `${url} answers in ${answered - asked} ms; this program is ${version()}`),
    clockFinding(response.headers.get('date'), (asked + answered) / 2),
    ...(await nbdFinding(url)),
  ]
}

function clockFinding(date: string | null, hereMs: number): Finding {
  const thereMs = Date.parse(date ?? '')
  if (Number.isNaN(thereMs)) return missing('clocks', 'the server does not say what time it is', 'nothing')
  // A date has whole seconds.
  const skewMs = Math.max(0, Math.abs(thereMs + 500 - hereMs) - 500)
  return skewMs > skewMaxMs
    ? wrong('clocks', `${Math.round(skewMs / 1000)} s apart`, 'let NTP set both')
    : fine('clocks', 'agree')
}

/** Where volumes are served; another port where the server was told so, which only a connection says. */
async function nbdFinding(url: string): Promise<Finding[]> {
  const host = new URL(url).hostname.replaceAll(/[[\]]/g, '')
  const isOpen = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port: nbdPort, timeout: 2000 })
    const end = (answer: boolean) => (): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
  return [
    isOpen
      ? fine('NBD port', `${host}:${nbdPort} is open`)
      : missing(
          'NBD port',
          `${host}:${nbdPort} is not reachable`,
          'open it in the firewall; or --nbd-port is another, which `keyward connect` says',
        ),
  ]
}
