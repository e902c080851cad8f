// What the console shows of ends: how long it took until a key that was taken away opened nothing any more, and the
// certificate of one that was purged.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensureConsole } from '../scripts/console.ts'
import { until } from './harness/api.ts'
import { browse } from './harness/browser.ts'
import { startNbdsh, tlsUri } from './harness/nbd.ts'
import { diskProcesses } from './harness/processes.ts'
import { assertReadable } from './harness/readable.ts'
import { afterwards, projectFolder, startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, makeRootKey, makeVolume, permitPurge, purgeWaitSeconds } from './harness/story.ts'

const writeOn = 'h.pwrite(b"x" * 4096, 0)\nprint("on", flush=True)\nwhile True: h.pwrite(b"x" * 4096, 0); h.flush()'

test('A reads on the overview how long revocations took, and which holder did not acknowledge', async (t) => {
  await ensureConsole()
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  /** Disables a key under which a machine writes. */
  const disable = async (meanwhile?: () => void): Promise<void> => {
    const key = await makeRootKey(a)
    const { connection } = await attach(b, (await makeVolume(b, key.crn)).id)
    const writer = startNbdsh(tlsUri(connection, folder), writeOn)
    await writer.started
    meanwhile?.()
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    await writer.ended
    await until(
      () => a.expect(200, 'GET', '/keyward/v1/revocations'),
      ({ revocations: [newest] }) => newest?.key_crn === key.crn && newest.state !== 'under-way',
    )
  }
  await disable()
  await disable(() => {
    const pids = diskProcesses(server.processId)
    assert.ok(pids.length > 0)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    // The server ends those that do not answer; whichever it left go on.
    afterwards(t, () => pids.forEach((pid) => resume(pid)))
  })
  const { service_level: levels, revocations } = await a.expect(200, 'GET', '/keyward/v1/revocations')
  const level = levels.find((one: { cause: string }) => one.cause === 'key.disabled')
  const { page, complaints, go, as } = await browse(t, server)
  await as('A')
  await go('/', 'Overview')
  const row = page
    .getByRole('table', { name: 'Service level of revocations' })
    .getByRole('row', { name: 'Key disabled' })
  await row.getByText('2', { exact: true }).waitFor()
  const cells = await row.getByRole('cell').allInnerTexts()
  assert.equal(cells.length, 5)
  for (const [at, seconds] of [
    [2, level.p50_seconds],
    [3, level.p99_seconds],
    [4, level.max_seconds],
  ] as const) {
    const [figure = '', unit] = cells[at]?.split(' ') ?? []
    const shown = Number(figure) / (unit === 'ms' ? 1000 : 1)
    assert.ok(Math.abs(shown - seconds) <= seconds / 100, `${cells[at]} for ${seconds} s`)
  }
  const last = page.getByRole('table', { name: 'Last revocations' })
  await last.getByText('acknowledged', { exact: true }).waitFor()
  await last.getByText('not acknowledged', { exact: true }).waitFor()
  await last.getByTitle(revocations[0].unacknowledged[0].holder_id).waitFor()
  await last.getByText('did not acknowledge; its process has ended').waitFor()
  await assertReadable(page, 'the overview')
  await as('B')
  await go('/', 'Overview')
  await page
    .getByText('All is well')
    .or(page.getByRole('list', { name: 'Needs attention' }))
    .waitFor()
  assert.equal(await last.count(), 0, 'what ended is the owner’s to read')
  assert.deepEqual(complaints, [])
})

test('A purges a key, downloads the certificate and checks it with the command that is shown', async (t) => {
  await ensureConsole()
  const server = await startServer(t, tempFolder(t))
  const { a } = server
  await permitPurge(a)
  const { id } = await makeRootKey(a, 'payroll')
  await a.kms(204, 'DELETE', `/keys/${id}`)
  await server.advance(purgeWaitSeconds)
  const { page, complaints, go, as } = await browse(t, server)
  const path = `/keys/${a.account.kmsInstanceId}/${id}`
  await as('A')
  const asked = page.waitForResponse((response) => response.url().endsWith('/destroy_certificate'))
  await go(path, 'payroll')
  assert.equal((await asked).status(), 404)
  assert.equal(await page.getByRole('region', { name: 'Destroy certificate' }).count(), 0, 'it is not purged yet')
  await page.getByRole('button', { name: 'Purge' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Type payroll to go on').fill('payroll')
  await dialog.getByRole('button', { name: 'Purge' }).click()

  const certificate = page.getByRole('region', { name: 'Destroy certificate' })
  const downloading = page.waitForEvent('download')
  await certificate.getByRole('button', { name: 'Download certificate' }).click()
  const file = await downloading
  const folder = tempFolder(t)
  await file.saveAs(join(folder, file.suggestedFilename()))
  const verify = await certificate.locator('code').innerText()
  const program = join(folder, 'keyward')
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${join(projectFolder, 'bin/keyward.mjs')} "$@"\n`)
  chmodSync(program, 0o755)
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` }
  const done = spawnSync('sh', ['-ec', verify], { cwd: folder, encoding: 'utf8', env })
  assert.equal(done.status, 0, done.stderr)
  assert.match(done.stdout, new RegExp(`^proved: the key crn:\\S+${id}\n`))
  await go(path, 'Key')
  await certificate.getByRole('button', { name: 'Download certificate' }).waitFor()
  await assertReadable(page, 'a purged key')
  assert.deepEqual(complaints, [])
})

/** It may have ended already. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // So it has.
  }
}
