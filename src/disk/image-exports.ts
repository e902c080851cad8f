// Images that are written to files for others to read (image-export.ts): each under the lease of the image's data key, and of
// the file's passphrase where it has one. The file lies where the process that asked finds it (staging.ts).

import { mkdir, rm } from 'node:fs/promises'
import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { volumeKeyIn, withDataKey, withPassphrase } from './copy-keys.ts'
import type { CopyRun } from './copy-run.ts'
import type { CopyRuns } from './copy-runs.ts'
import { exportFolder, exportPath, folderMode } from './folders.ts'
import { exportImage } from './image-export.ts'
import { openImageSource } from './image-source.ts'
import { readImageHeader } from './image.ts'
import type { LeaseBook } from './leases.ts'
import type { ExportWanted, VolumeSpec } from './port.ts'
import type { Volumes } from './volumes.ts'

export interface ImageExportsParts {
  readonly dataFolder: string
  readonly volumes: Volumes
  readonly leases: LeaseBook
  readonly runs: CopyRuns
  readonly clock: Clock
  readonly random: Random
}

/** See DiskProcessPort, `exportStaged`. */
export function makeImageExports(parts: ImageExportsParts) {
  const { dataFolder, volumes, leases, runs, clock, random } = parts

  async function exportStaged(image: VolumeSpec, wanted: ExportWanted): Promise<void> {
    const { exportId, format } = wanted
    assert(format !== 'vhd' || wanted.wrappedPassphrase === null, 'a VHD has no key of its own')
    if (runs.isRunning(exportId)) throw new Fault('conflict', `image export ${exportId} is being made already`)
    await runs.track(runs.run(exportId, (run) => withKeys(image, wanted, run, write)))

    async function write(keys: { volumeKey: SecretBytes; passphrase: SecretBytes | null }, run: CopyRun) {
      await volumes.closeIfUnused(image.volumeId)
      const source = await openImageSource(dataFolder, image.volumeId, clock)
      try {
        await mkdir(exportFolder(dataFolder), { recursive: true, mode: folderMode })
        const path = exportPath(dataFolder, exportId)
        await rm(path, { force: true })
        await exportImage({ image: source, path, format, random, now: clock.now(), ...keys }, run)
      } finally {
        await source.close()
      }
    }
  }

  async function withKeys(
    image: VolumeSpec,
    { wrappedPassphrase }: ExportWanted,
    run: CopyRun,
    work: (keys: { volumeKey: SecretBytes; passphrase: SecretBytes | null }, run: CopyRun) => Promise<void>,
  ): Promise<void> {
    const header = await readImageHeader(dataFolder, image.volumeId)
    await withDataKey(leases, image, run, async (dataKey) => {
      using volumeKey = volumeKeyIn(header, dataKey)
      run.endWith(volumeKey)
      await withPassphrase(leases, image, wrappedPassphrase, run, (passphrase) => work({ volumeKey, passphrase }, run))
    })
  }

  return { exportStaged }
}
