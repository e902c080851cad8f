// Where the data plane keeps things in the data folder, and what a crash may have left there. Knows no keys and no data:
// the process that starts the disk processes uses it too.

import { createHash } from 'node:crypto'
import { access, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'

export const folderMode = 0o700
export const fileMode = 0o600
/** Begins the name of a volume's folder that is being removed. */
export const deletedPrefix = '.deleted-'
const volumeIdForm = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/
/** unix(7): sun_path has 108 bytes and ends with a zero. */
const socketPathBytesMax = 107

export const volumesFolder = (dataFolder: string): string => join(dataFolder, 'volumes')

/** Throws a Fault for an id that could name anything outside its folder. */
export function imageFolder(dataFolder: string, volumeId: string): string {
  if (!volumeIdForm.test(volumeId)) throw new Fault('invalid', `'${volumeId}' is not a volume id`)
  return join(volumesFolder(dataFolder), volumeId)
}

export const imagePath = (dataFolder: string, volumeId: string): string =>
  join(imageFolder(dataFolder, volumeId), 'volume.luks')

/** Beside the image of a volume whose sectors say when they were changed. */
export const tagsPath = (dataFolder: string, volumeId: string): string =>
  join(imageFolder(dataFolder, volumeId), 'volume.tags')

/** Of files that are about to become images; see staging.ts. */
export const stagingFolder = (dataFolder: string): string => join(dataFolder, 'run', 'imports')

export const stagedPath = (dataFolder: string, imageId: string): string =>
  join(stagingFolder(dataFolder), checkedId(imageId))

function checkedId(id: string): string {
  if (volumeIdForm.test(id)) return id
  throw new Fault('invalid', `'${id}' is not an image id`)
}

/** Of files that images are written to; see staging.ts. */
export const exportFolder = (dataFolder: string): string => join(dataFolder, 'run', 'exports')

export const exportPath = (dataFolder: string, exportId: string): string =>
  join(exportFolder(dataFolder), checkedId(exportId))

export const socketFolder = (dataFolder: string): string => join(dataFolder, 'run', 'nbd')

/** Short, because the whole path has few bytes; a fault says when the data folder leaves none. */
export function socketPath(dataFolder: string, attachmentId: string): string {
  const name = createHash('sha256').update(attachmentId).digest('hex').slice(0, 20)
  const path = join(socketFolder(dataFolder), `${name}.sock`)
  if (Buffer.byteLength(path) > socketPathBytesMax) {
    const spare = socketPathBytesMax - Buffer.byteLength(path) + Buffer.byteLength(dataFolder)
    throw new Fault('invalid', `the path of the data folder is too long for unix sockets: at most ${spare} bytes`)
  }
  return path
}

/** Removes what a crash left half made or half removed. Nothing is being made at the time. */
export async function sweepLeftovers(dataFolder: string): Promise<void> {
  const folder = volumesFolder(dataFolder)
  await mkdir(folder, { recursive: true, mode: folderMode })
  await syncFolder(dataFolder)
  for (const name of await readdir(folder)) {
    if (name.startsWith(deletedPrefix)) await rm(join(folder, name), { recursive: true, force: true })
    else await rm(join(folder, name, 'volume.luks.new'), { force: true })
  }
  await rm(stagingFolder(dataFolder), { recursive: true, force: true })
  await rm(exportFolder(dataFolder), { recursive: true, force: true })
  const sockets = socketFolder(dataFolder)
  await mkdir(sockets, { recursive: true, mode: folderMode })
  for (const name of await readdir(sockets)) await rm(join(sockets, name), { force: true })
}

/** The ids of the volumes that have an image; one that is half made or half removed is none. */
export async function imageIds(dataFolder: string): Promise<readonly string[]> {
  const names = await readdir(volumesFolder(dataFolder))
  const ids = names.filter((name) => volumeIdForm.test(name))
  const found = await Promise.all(ids.map((id) => exists(imagePath(dataFolder, id))))
  return ids.filter((_, at) => found[at])
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** A new name survives power loss only when its folder has been synchronised. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
