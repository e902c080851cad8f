// What the console shows of ends: how long it took until a key that was taken away opened nothing any more.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ensureConsole } from '../scripts/console.ts'
import { until } from './harness/api.ts'
import { browse } from './harness/browser.ts'
import { startNbdsh, tlsUri } from './harness/nbd.ts'
import { diskProcesses } from './harness/processes.ts'
import { assertReadable } from './harness/readable.ts'
import { afterwards, startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, makeRootKey, makeVolume } from './harness/story.ts'

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

/** It may have ended already. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // So it has.
  }
}
