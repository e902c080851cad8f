// Where the product is reached: sockets, their addresses, and the files that TLS needs.

import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { Fault } from '#base/fault.ts'
import type { Config } from './config.ts'

export async function listen(server: FastifyInstance, host: string, wanted: number): Promise<number> {
  try {
    await server.listen({ host, port: wanted })
  } catch (cause) {
    throw new Fault('unavailable', `cannot listen on ${host} port ${wanted}`, { cause })
  }
  const [address] = server.addresses()
  return typeof address === 'object' ? address.port : wanted
}

export function urlOf(config: Config, port: number): string {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  return `${config.tls ? 'https' : 'http'}://${host}:${port}`
}

export function readPem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Fault('invalid', `TLS file ${path} cannot be read`, { cause })
  }
}
