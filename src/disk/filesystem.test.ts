// A real file system in a volume, written through a real client, while its disk process is killed: after each kill the
// file system is sound, and every file that had been written completely is there.
//
// KEYWARD_TEST_CRASHES sets the number of rounds.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chanceOf } from './testing/seeded.ts'
import { needs, run, succeed } from './testing/outside-tools.ts'
import { connectTo, diskProcesses, folder, makeVolume, MiB, nextRestart, pool } from './testing/server-fixture.ts'
import { startPool, stopPool } from './testing/server-fixture.ts'

const rounds = Number(process.env['KEYWARD_TEST_CRASHES'] ?? 5)
const chance = chanceOf(Number(process.env['KEYWARD_TEST_SEED'] ?? 1))

before(() => startPool(1))
after(stopPool)

const skip = needs('nbdfuse', 'nbdcopy', 'mke2fs', 'debugfs', 'e2fsck').skip || (!hasFuse() && 'there is no /dev/fuse')

function hasFuse(): boolean {
  try {
    accessSync('/dev/fuse')
    return true
  } catch {
    return false
  }
}

interface Mount {
  /** The volume as a file. */
  readonly path: string
  end(): Promise<void>
}

async function mount(uri: string, round: number): Promise<Mount> {
  const place = join(folder, `mount-${round}`)
  const path = join(place, 'volume')
  mkdirSync(place)
  const child = spawn('nbdfuse', [path, uri], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  while (!isThere(path)) {
    assert.equal(child.exitCode, null, 'nbdfuse serves')
    await sleep(10)
  }
  return {
    path,
    async end() {
      // Lazily: a tool may have it open still.
      await run('umount', '-l', place)
      child.kill()
      await ended
    },
  }
}

function isThere(path: string): boolean {
  try {
    return statSync(path).size > 0
  } catch {
    return false
  }
}

/** Files whose tool has ended well, and what is in them. */
const written = new Map<string, Buffer>()

/** Writes file after file until the volume goes away. debugfs says what went wrong, but not by its status. */
async function writeFiles(path: string, round: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const name = `file-${round}-${count}`
    const data = chance.bytes(1 + chance.below(200_000))
    const source = join(folder, 'source')
    writeFileSync(source, data)
    const { code, err } = await run('debugfs', '-w', '-R', `write ${source} ${name}`, path)
    const complaints = err.split('\n').filter((line) => line !== '' && !line.startsWith('debugfs 1.'))
    if (code !== 0 || complaints.length > 0) return
    written.set(name, data)
  }
}

/** Puts new contents of a file into the journal and nowhere else, as a system does that dies before it gets round to it. */
async function writeJournal(path: string): Promise<Buffer> {
  const block = (await succeed('debugfs', '-R', 'blocks /journaled', path)).trim()
  assert.match(block, /^\d+$/)
  const data = chance.bytes(4096)
  const [source, commands] = [join(folder, 'block'), join(folder, 'commands')]
  writeFileSync(source, data)
  writeFileSync(commands, `journal_open\njournal_write -b ${block} ${source}\njournal_close\n`)
  const { err } = await run('debugfs', '-w', '-f', commands, path)
  assert.deepEqual(err.split('\n').slice(1).join(''), '')
  return data
}

async function contentOf(image: string, name: string): Promise<Buffer> {
  const target = join(folder, 'dumped')
  writeFileSync(target, '')
  await succeed('debugfs', '-R', `dump /${name} ${target}`, image)
  return readFileSync(target)
}

test(`a file system is sound after each of ${rounds} kills`, { skip }, async () => {
  const volume = await makeVolume(128 * MiB)
  const image = join(folder, 'image')
  const tree = join(folder, 'tree')
  mkdirSync(tree)
  writeFileSync(join(tree, 'journaled'), chance.bytes(4096))
  await succeed('mke2fs', '-q', '-t', 'ext4', '-b', '4096', '-d', tree, image, '128M')

  for (let round = 1; round <= rounds; round += 1) {
    const { unixUri } = await connectTo(volume)
    await succeed('nbdcopy', '--flush', image, unixUri)
    const mounted = await mount(unixUri, round)
    const journaled = round % 2 === 0 ? await writeJournal(mounted.path) : null
    // After that only a replay makes the file system whole: nobody may write to it before.
    const work = journaled ? sleep(chance.below(50)) : writeFiles(mounted.path, round)
    await sleep(100 + chance.below(600))
    const restarted = nextRestart()
    for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
    await work
    await mounted.end()
    await restarted
    await pool.port.addExport({ attachmentId: volume.volumeId, volume })

    await succeed('nbdcopy', unixUri, image)
    const { code, out, err } = await run('e2fsck', '-fp', image)
    // What one interrupted tool had half done, without a journal, may need more than the automatic repair.
    if ((code ?? 8) > 1) assert.ok(((await run('e2fsck', '-fy', image)).code ?? 8) <= 1, out + err)
    await succeed('e2fsck', '-fn', image)
    if (journaled) assert.match(out, /recovering journal/)
    if (journaled) assert.ok((await contentOf(image, 'journaled')).equals(journaled), `round ${round}: the journal`)
    for (const [name, data] of written) {
      assert.ok((await contentOf(image, name)).equals(data), `round ${round}: ${name}`)
    }
    // The disk is not what this is about: the newest files stay.
    for (const name of [...written.keys()].slice(0, -20)) {
      await succeed('debugfs', '-w', '-R', `rm /${name}`, image)
      written.delete(name)
    }
  }
  assert.ok(written.size > 0)
})
