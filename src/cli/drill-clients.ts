// Real NBD clients for the drill, libnbd's, all in one process: each writes to its volume again and again until it is refused, and
// says when it was last served and when it was first refused.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from './failure.ts'

export interface Connection {
  readonly uri: string
  readonly tls: { readonly psk_identity: string; readonly psk_key: string }
}

/** Times in milliseconds since 1970, by the clock of this machine. */
export interface Refused {
  readonly lastServedAt: number
  readonly firstRefusedAt: number
  readonly writes: number
}

export interface Clients {
  /** Of each client, in the order of the connections. Rejects where one of them is served on and on. */
  readonly refused: Promise<readonly Refused[]>
  [Symbol.dispose](): void
}

/** Between two writes: the resolution of what is measured, and little enough work not to be measured itself. */
const pauseMs = 1
const patienceSeconds = 30

/** Resolves when every client has been served once. */
export async function startClients(connections: readonly Connection[]): Promise<Clients> {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-drill-'))
  const secretPath = join(folder, 'psk')
  const secrets = connections.map(({ tls }) => `${tls.psk_identity}:${tls.psk_key}\n`)
  writeFileSync(secretPath, secrets.join(''), { flag: 'wx', mode: 0o600 })
  // The system's Python: another one on PATH does not have libnbd's module.
  const child = spawn('/usr/bin/python3', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<readonly Refused[]>()
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.startsWith('ready\n')) ready.resolve()
  })
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  child.stdin.on('error', () => undefined)
  child.once('error', (cause) => fail(new Failure('failed', 'python3 with libnbd cannot be run', { cause, next })))
  child.once('close', (status) => {
    const why = errors.trim().split('\n').at(-1) ?? ''
    if (status !== 0) fail(new Failure('failed', `the NBD clients ended with ${status}: ${why}`, { next }))
    else ended.resolve(JSON.parse(output.slice('ready\n'.length)) as readonly Refused[])
  })
  function fail(failure: Failure): void {
    ready.reject(failure)
    ended.reject(failure)
  }
  // Whoever starts them hears it by one of the two.
  ready.promise.catch(() => undefined)
  ended.promise.catch(() => undefined)
  const uris = connections.map(({ uri }) => `${uri}?tls-psk-file=${secretPath}`)
  child.stdin.end(JSON.stringify({ uris, pauseSeconds: pauseMs / 1000, patienceSeconds }))
  const clients: Clients = {
    refused: ended.promise,
    [Symbol.dispose]() {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await ready.promise
    return clients
  } catch (error) {
    clients[Symbol.dispose]()
    throw error
  }
}

const next = 'apt-get install python3-libnbd, where it is missing'

const script = `
import json, sys, threading, time
import nbd

given = json.load(sys.stdin)
uris = given["uris"]
results = [None] * len(uris)
ready = threading.Barrier(len(uris) + 1, timeout=60)

def work(at, uri):
    try:
        h = nbd.NBD()
        h.set_uri_allow_local_file(True)
        h.connect_uri(uri)
        h.pwrite(b"drill".ljust(4096), 0)
        served = time.time()
    except BaseException:
        ready.abort()
        raise
    ready.wait()
    end = served + given["patienceSeconds"]
    writes = 1
    try:
        while served < end:
            h.pwrite(b"drill".ljust(4096), 0)
            served = time.time()
            writes += 1
            time.sleep(given["pauseSeconds"])
    except nbd.Error:
        results[at] = {"lastServedAt": served * 1000, "firstRefusedAt": time.time() * 1000, "writes": writes}

threads = [threading.Thread(target=work, args=one) for one in enumerate(uris)]
for thread in threads: thread.start()
try:
    ready.wait()
except threading.BrokenBarrierError:
    sys.exit("a volume could not be connected to")
print("ready", flush=True)
for thread in threads: thread.join()
if None in results:
    sys.exit("a volume was still served after %d seconds" % given["patienceSeconds"])
print(json.dumps(results))
`
