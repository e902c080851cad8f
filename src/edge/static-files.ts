// Files that a browser asks for: the console, as it was built. They are the same for everybody, so nobody is authenticated;
// whatever the console then asks for, it asks of the same APIs as any other client. Read once, when first asked for.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Where the built files lie, and under which path of this server they are. */
export interface StaticFiles {
  readonly folder: string
  readonly path: string
  /** What to say where there are no files, in a sentence. */
  readonly missing: string
}

interface StaticFile {
  readonly bytes: Buffer
  readonly type: string
  /** Weak: the same for every coding of it. */
  readonly etag: string
  /** Smaller forms of the same, by content coding: the build has made them. */
  readonly coded: ReadonlyMap<string, Buffer>
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
}

/** In the order of our preference. */
const codings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

/**
 * Content Security Policy: scripts, styles, fonts and requests of this server alone, nothing inline, in nobody's frame. What
 * a volume or a policy is called can then never become code, nor send anything anywhere.
 */
const security = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

export function mountFiles(server: FastifyInstance, { folder, path, missing }: StaticFiles): void {
  let files: ReadonlyMap<string, StaticFile> | null = null
  const known = (): ReadonlyMap<string, StaticFile> | null =>
    (files ??= existsSync(join(folder, 'index.html')) ? readFiles(folder) : null)

  const serve = async (request: FastifyRequest, response: FastifyReply): Promise<FastifyReply> => {
    response.headers(security)
    const found = known()
    if (!found) return response.code(503).header('cache-control', 'no-store').type('text/plain').send(`${missing}\n`)
    const name = (request.params as Readonly<Record<string, string>>)['*'] ?? ''
    const file = found.get(name) ?? (isPage(name) ? found.get('index.html') : undefined)
    if (!file) return response.code(404).header('cache-control', 'no-store').type('text/plain').send('no such file\n')
    return send(request, response, file, cacheOf(name))
  }

  for (const url of [path, `${path}/*`]) server.route({ method: ['GET', 'HEAD'], url, handler: serve })
  // Whoever types the server's address into a browser wants to see something.
  server.get('/', async (request, response) =>
    request.headers.accept?.includes('text/html') ? response.redirect(path, 302) : response.callNotFound(),
  )
}

/** Pages are drawn by the script, whatever their path; files have a name that ends in what they are. */
const isPage = (name: string): boolean => extname(name) === ''

/** Names under assets/ change with what is in them. */
const cacheOf = (name: string): string =>
  name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'

function send(request: FastifyRequest, response: FastifyReply, file: StaticFile, cache: string): FastifyReply {
  response.headers({ 'cache-control': cache, etag: file.etag, vary: 'accept-encoding' }).type(file.type)
  if (request.headers['if-none-match']?.includes(file.etag)) return response.code(304).send()
  const sent = request.headers['accept-encoding'] ?? ''
  const accepted = new Set(sent.split(',').map((one) => one.split(';')[0]?.trim()))
  for (const [coding] of codings) {
    const bytes = accepted.has(coding) ? file.coded.get(coding) : undefined
    if (bytes) return response.header('content-encoding', coding).send(bytes)
  }
  return response.send(file.bytes)
}

function readFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const files = new Map<string, StaticFile>()
  for (const name of names) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const bytes = readFileSync(join(folder, name))
    const etag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
    const coded = codings.flatMap(([coding, ending]) =>
      names.includes(name + ending) ? [[coding, readFileSync(join(folder, name + ending))] as const] : [],
    )
    files.set(name, { bytes, type, etag, coded: new Map(coded) })
  }
  return files
}
