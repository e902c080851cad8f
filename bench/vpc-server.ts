// The whole program as its users start it, in a folder that may hold a database already.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { api } from '../test/harness/api.ts'
import type { Api, Json } from '../test/harness/api.ts'

const program = resolve(import.meta.dirname, '../bin/keyward.mjs')

export interface Running extends AsyncDisposable {
  readonly a: Api
  readonly b: Api
}

export async function startControlPlane(folder: string): Promise<Running> {
  const flags = ['--disable-warning=ExperimentalWarning', program, '--data', folder]
  const ports = ['--port', '0', '--nbd-port', '0', '--log-level', 'error']
  const child = spawn(process.execPath, [...flags, ...ports], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('keyward is ready')) ready()
    })
    child.once('exit', () => failed(new Error('the server did not start')))
  })
  const { accounts, endpoints }: Json = JSON.parse(readFileSync(join(folder, 'bootstrap.json'), 'utf8'))
  return {
    a: api(endpoints.iam, accounts[0]),
    b: api(endpoints.iam, accounts[1]),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
