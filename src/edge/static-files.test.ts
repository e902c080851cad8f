import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { brotliCompressSync } from 'node:zlib'
import { fastify } from 'fastify'
import { mountFiles } from './static-files.ts'

function serve(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-files-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const server = fastify()
  t.after(() => server.close())
  mountFiles(server, { folder: join(folder, 'built'), path: '/console', missing: 'It is not built.' })
  const build = (): void => {
    mkdirSync(join(folder, 'built/assets'), { recursive: true })
    writeFileSync(join(folder, 'secret.html'), 'not to be served')
    writeFileSync(join(folder, 'built/index.html'), '<!doctype html>')
    writeFileSync(join(folder, 'built/assets/main-abc.js'), 'export {}')
    writeFileSync(join(folder, 'built/assets/main-abc.js.br'), brotliCompressSync('export {}'))
    writeFileSync(join(folder, 'built/notes.md'), 'no type that is served')
  }
  const get = (url: string, headers: Record<string, string> = {}) => server.inject({ method: 'GET', url, headers })
  return { server, build, get }
}

test('mountFiles() says that nothing is built, and serves what is built later', async (t) => {
  const { build, get } = serve(t)
  const early = await get('/console')
  assert.equal(early.statusCode, 503)
  assert.equal(early.body, 'It is not built.\n')
  build()
  assert.equal((await get('/console')).statusCode, 200)
})

test('mountFiles() answers every path that is no file with the page, and a file that is missing with 404', async (t) => {
  const { build, get } = serve(t)
  build()
  for (const url of ['/console', '/console/', '/console/keys/1/2', '/console/volumes?name=x']) {
    const page = await get(url)
    assert.equal(page.statusCode, 200, url)
    assert.equal(page.body, '<!doctype html>')
    assert.equal(page.headers['cache-control'], 'no-cache')
  }
  for (const url of [
    '/console/assets/gone.js',
    '/console/notes.md',
    '/console/../secret.html',
    '/console/%2e%2e%2fsecret.html',
    '/console/..%5csecret.html',
  ]) {
    const missing = await get(url)
    assert.equal(missing.statusCode, 404, url)
    assert.ok(!missing.body.includes('not to be served'))
  }
})

test('mountFiles() allows nothing from elsewhere and nothing inline', async (t) => {
  const { build, get } = serve(t)
  build()
  for (const url of ['/console', '/console/assets/main-abc.js', '/console/gone.js']) {
    const { headers } = await get(url)
    const policy = String(headers['content-security-policy'])
    assert.ok(policy.startsWith("default-src 'self';") && !policy.includes('unsafe') && !policy.includes('data:'))
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
  }
})

test('mountFiles() lets browsers keep what has its content in its name, and asks again for the rest', async (t) => {
  const { build, get, server } = serve(t)
  build()
  const script = await get('/console/assets/main-abc.js', { 'accept-encoding': 'gzip, br;q=1.0' })
  assert.equal(script.headers['cache-control'], 'public, max-age=31536000, immutable')
  assert.equal(script.headers['content-encoding'], 'br')
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8')
  assert.deepEqual(script.rawPayload, brotliCompressSync('export {}'))
  assert.equal((await get('/console/assets/main-abc.js')).body, 'export {}')
  const page = await get('/console')
  const again = await get('/console', { 'if-none-match': String(page.headers['etag']) })
  assert.equal(again.statusCode, 304)
  assert.equal(again.body, '')
  const head = await server.inject({ method: 'HEAD', url: '/console' })
  assert.equal(head.statusCode, 200)
  assert.equal(head.body, '')
})

test('mountFiles() sends a browser that comes to the address alone to the page, and clients of the API nowhere', async (t) => {
  const { build, get } = serve(t)
  build()
  const browser = await get('/', { accept: 'text/html,application/xhtml+xml' })
  assert.equal(browser.statusCode, 302)
  assert.equal(browser.headers['location'], '/console')
  assert.equal((await get('/', { accept: 'application/json' })).statusCode, 404)
})
