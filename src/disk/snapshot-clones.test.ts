// Snapshots on a file system that shares blocks between files: XFS in a file, where there is the right to mount it.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seeOneMoment } from './testing/one-moment.ts'
import { needs, run, succeed } from './testing/outside-tools.ts'
import { imageOf, MiB, startPool, stopPool } from './testing/server-fixture.ts'

const tools = needs('mkfs.xfs', 'filefrag', 'nbdsh', 'cryptsetup')

test('a snapshot is a clone where the file system makes them, and holds one moment of its volume', tools, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kw-xfs-'))
  const [disk, place] = [join(folder, 'disk'), join(folder, 'm')]
  await mkdir(place)
  await writeFile(disk, '')
  await truncate(disk, 2048 * MiB)
  await succeed('mkfs.xfs', '-q', '-m', 'reflink=1', disk)
  const isMounted = (await run('mount', '-o', 'loop', disk, place)).code === 0
  try {
    if (!isMounted) return t.skip('no right to mount')
    process.env['TMPDIR'] = place
    await startPool(2)
    try {
      await seeOneMoment(async (snapshot) => {
        assert.match(await succeed('filefrag', '-v', imageOf(snapshot)), /shared/)
      })
    } finally {
      await stopPool()
    }
  } finally {
    if (isMounted) await succeed('umount', place)
    await rm(folder, { recursive: true, force: true })
  }
})
