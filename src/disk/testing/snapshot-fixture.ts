// What tests of snapshots share: images that are to be made, who opens them, and clients whose writes show their order.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import type { VolumeSpec } from '../port.ts'
import { run, succeed } from './outside-tools.ts'
import { connectTo, folder, imageOf, kms, passphraseFile, pool } from './server-fixture.ts'

/** More of them find rarer moments. */
export const rounds = Number(process.env['KEYWARD_SNAPSHOT_ROUNDS'] ?? 2)

let count = 0

/** A specification of something that has no image yet. */
export function specLike({ as, capacityBytes, keyCrn }: VolumeSpec, what = 'snapshot'): VolumeSpec {
  const volumeId = `r006-${what}-${(count += 1)}`
  const volumeCrn = `crn:v1:bluemix:public:is:us-south:a/${'b'.repeat(32)}::${what}:${volumeId}`
  return { volumeId, volumeCrn, capacityBytes, keyCrn, as, wrappedDataKey: kms.wrapNewKey(volumeCrn) }
}

/** Makes the image an export and reads it through the front door. */
export async function attach(volume: VolumeSpec): Promise<string> {
  await pool.port.addExport({ attachmentId: volume.volumeId, volume })
  return (await connectTo(volume)).unixUri
}

export const opens = async (image: VolumeSpec, key: VolumeSpec): Promise<boolean> => {
  const asked = ['--test-passphrase', '--key-file', await passphraseFile(key), imageOf(image)]
  return (await run('cryptsetup', 'open', ...asked)).code === 0
}

/** The volume key, as cryptsetup finds it. */
export async function volumeKeyOf(volume: VolumeSpec): Promise<string> {
  const file = join(folder, `volume-key-${randomBytes(4).toString('hex')}`)
  const key = ['--key-file', await passphraseFile(volume)]
  await succeed('cryptsetup', 'luksDump', '-q', '--dump-volume-key', '--volume-key-file', file, ...key, imageOf(volume))
  return (await readFile(file)).toString('hex')
}

export const refused = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

export interface Stamps {
  /** Where they are, beginning with the one that names the newest generation. */
  readonly offset: number
  readonly unitBytes: number
  /** A power of two. */
  readonly count: number
  readonly options?: string
}

/**
 * A client that writes numbered generations, one after the other: generation n goes to a place of its own, and when that is
 * acknowledged, to the first place. It prints each that is acknowledged.
 */
export const writeGenerations = ({ offset, unitBytes, count: places, options = '0' }: Stamps): string[] => [
  'generation = 0',
  'try:',
  '  while True:',
  '    generation += 1',
  `    stamp = generation.to_bytes(8, "big") * ${unitBytes / 8}`,
  `    h.pwrite(stamp, ${offset} + ${unitBytes} * (1 + generation * 37 % ${places}), ${options})`,
  `    h.pwrite(stamp, ${offset}, ${options})`,
  '    print(generation, flush=True)',
  'except (nbd.Error, BrokenPipeError): pass',
]

/** Checks that the volume holds what generations 1 to n left, for the n that its first place names; prints n. */
export const checkGenerations = ({ offset, unitBytes, count: places }: Stamps): string[] => [
  `end = ${offset + unitBytes * (places + 1)}`,
  `data = b"".join(h.pread(min(1 << 20, end - at), at) for at in range(${offset}, end, 1 << 20))`,
  'def read(place):',
  `  stamp = data[${unitBytes} * place:${unitBytes} * (place + 1)]`,
  '  found = int.from_bytes(stamp[:8], "big")',
  `  assert stamp == found.to_bytes(8, "big") * ${unitBytes / 8}, ("torn", place)`,
  '  return found',
  'newest = read(0)',
  `expected = {1 + g * 37 % ${places}: g for g in range(max(1, newest - ${places} + 1), newest + 1)}`,
  // The next generation may have come to its place before the moment of the snapshot, and not to the first one.
  `following = 1 + (newest + 1) * 37 % ${places}`,
  `for place in range(1, ${places} + 1):`,
  '  found = read(place)',
  '  allowed = [expected.get(place, 0)] + ([newest + 1] if place == following else [])',
  '  assert found in allowed, ("place", place, "has", found, "not", allowed, "newest", newest)',
  'print(newest)',
]

export const fill = (mib: number): string[] => [
  'import os',
  'piece = os.urandom(1 << 20)',
  `for i in range(${mib}): h.pwrite(i.to_bytes(8, "big") + piece[8:], i << 20)`,
]
