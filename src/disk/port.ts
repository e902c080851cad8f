// What the control plane may ask of the data plane. Volumes are named by id and CRN, keys only ever wrapped.
// Every method may be repeated: after a crash the caller says again what should be so.

import type { ServiceSubject } from '#iam/port.ts'

/** What a disk process needs to know of a volume to open it. */
export interface VolumeSpec {
  readonly volumeId: string
  readonly volumeCrn: string
  readonly capacityBytes: number
  readonly keyCrn: string
  readonly wrappedDataKey: Uint8Array
  readonly as: ServiceSubject
  /** Of a volume that is to lie under another data key, or is on its way there. */
  readonly newer?: NewerKey
  /** Reads, writes and zeroing per second, over all clients together; absent for no limit. See throttle.ts. */
  readonly iopsMax?: number
  /** The bytes of those. */
  readonly bandwidthBytesPerSecondMax?: number
  /** Whether its sectors say when they were changed (docs/decisions/0020-sector-integrity.md). For its life. */
  readonly isAuthenticated?: boolean
}

/** Another data key of the same resource, perhaps under another root key. */
export interface NewerKey {
  readonly keyCrn: string
  readonly wrappedDataKey: Uint8Array
}

export interface ExportSpec {
  readonly attachmentId: string
  readonly volume: VolumeSpec
}

/** How one client gets in. The secret is only ever in this answer; the process can derive it again. */
export interface Connection {
  /** NBD URI over TLS, as in the NBD URI specification. */
  readonly uri: string
  readonly pskIdentity: string
  /** 64 hexadecimal digits. */
  readonly pskKey: string
  readonly unixUri: string
  readonly expiresAt: number
}

export interface SnapshotTaken {
  /** Bytes of ciphertext that the snapshot holds, holes left out. */
  readonly storedBytes: number
}

export interface SnapshotMember {
  readonly source: VolumeSpec
  readonly snapshot: VolumeSpec
}

export interface CopyProgress {
  readonly doneBytes: number
  readonly totalBytes: number
}

export type ImageFormat = 'raw' | 'qcow2' | 'vhd'

/** Of a file of the form qcow2; enough of it to ask `isEncryptedQcow2`. */
export const qcow2StartBytes = 36

/** Whether a file says of itself, in its first bytes, that its data have a key of their own. */
export function isEncryptedQcow2(start: Uint8Array): boolean {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  return start.length >= qcow2StartBytes && view.getUint32(0) === qcow2Magic && view.getUint32(32) !== 0
}

export const qcow2Magic = 0x514649fb

/** A file that is to become an image. */
export interface ImportSpec {
  readonly format: ImageFormat
  /** Of the disk in it, rounded up to whole steps. A larger one is refused, a smaller one gets room to the least. */
  readonly capacityBytes: { readonly min: number; readonly max: number; readonly step: number }
  /** What opens the file, as the client wrapped it under the image's own root key; null for a file in the clear. */
  readonly wrappedPassphrase: Uint8Array | null
  /** The file as it is stored may have no more. */
  readonly fileBytesMax: number
}

export type ExportFormat = 'qcow2' | 'vhd'

/** A file that an image is to become. */
export interface ExportWanted {
  /** Names the export while it is made. */
  readonly exportId: string
  readonly format: ExportFormat
  /** What opens the file, under the image's own root key; null for a file in the clear, as every VHD is. */
  readonly wrappedPassphrase: Uint8Array | null
}

export interface ImageDescription extends SnapshotTaken {
  /** Of the disk: what volumes that are made of it have at least. */
  readonly capacityBytes: number
}

export interface ImageImported extends ImageDescription {
  /** Of the file, in hexadecimal; null where the image was there already. */
  readonly sha256: string | null
}

export interface DiskPort {
  /**
   * Formats the image under the wrapped data key. Does nothing if the image is there already, except that one which was
   * never written and opens with another key (a crash came between) is formatted again.
   */
  createVolume(volume: VolumeSpec): Promise<void>
  /** Cuts clients, removes the image, a snapshot's too. Does nothing if there is none. */
  deleteVolume(volumeId: string): Promise<void>
  /**
   * The point in time of everything that was acknowledged before the call, while writes go on. The snapshot's image lies
   * beside those of volumes, under its own id, and opens with its own data key. Fulfilled when it is there; does nothing if
   * it is there already. Fault 'not_found' when the source has no image.
   */
  createSnapshot(source: VolumeSpec, snapshot: VolumeSpec): Promise<SnapshotTaken>
  /**
   * The same of several volumes, all at one moment: no write is in whose client had been told before of another that is not.
   * All of the images are there afterwards, or none; those that are there without the others are made anew.
   */
  createSnapshots(members: readonly SnapshotMember[]): Promise<readonly SnapshotTaken[]>
  /**
   * Makes a volume's image from another image: a snapshot, or a volume that nobody writes. Ciphertext is copied, and only the
   * key slot is new; with `reencrypt` there is a new volume key too, and every sector is encrypted again, so that the source's
   * data key opens nothing of the copy. `capacityBytes` is at least the source's; the rest is a hole. The image is there whole
   * or not at all, and does nothing if it is there already.
   */
  createVolumeFrom(volume: VolumeSpec, source: VolumeSpec, options: { readonly reencrypt: boolean }): Promise<void>
  /**
   * Makes an image from a file with a disk in it, encrypting it under the image's own data key; `capacityBytes` of the
   * specification is not looked at. `read` gives the file, and is called only where there is no image yet. Faults:
   * 'unprocessable' with a reason of VPC's failed images, 'too_large', and whatever `read` throws.
   */
  importImage(
    image: VolumeSpec,
    wanted: ImportSpec,
    read: () => Promise<AsyncIterable<Uint8Array>>,
  ): Promise<ImageImported>
  /**
   * Writes the image to a file that others read, and gives it to `send`, whose answer it is. Nothing of it stays here. Faults:
   * 'conflict' where it is being made already, was cancelled, or a key's lease ended; and whatever `send` throws.
   */
  exportImage<Sent>(
    image: VolumeSpec,
    wanted: ExportWanted,
    send: (file: AsyncIterable<Uint8Array>) => Promise<Sent>,
  ): Promise<Sent>
  /** Ends an export. Does nothing if there is none. */
  cancelExport(imageId: string, exportId: string): Promise<void>
  /**
   * Encrypts the volume's image anew, in its place and while it serves, until all of it is under a new volume key that only
   * `newer` opens. Fulfilled then; does nothing more if that is so already. What a crash or a fence interrupts goes on from
   * where it was when this is said again. From the first call on, whoever opens the volume has to be told of both keys.
   * Fault 'conflict' while a snapshot of it is being made.
   */
  reencryptVolume(volume: VolumeSpec, bytesPerSecondMax: number | null): Promise<void>
  /** Of one that is under way; does nothing where none is. */
  limitReencryption(volumeId: string, bytesPerSecondMax: number | null): Promise<void>
  /** Null when there is no image of the id. */
  describeImage(imageId: string): Promise<ImageDescription | null>
  /** Of a snapshot or copy that is being made under this id, or of its re-encryption; null when none is. */
  copyProgress(volumeId: string): Promise<CopyProgress | null>
  /** Makes an attachment reachable. The data key is leased when the first client comes and released after the last. */
  addExport(spec: ExportSpec): Promise<void>
  /** Cuts the attachment's clients and forgets it. */
  removeExport(volumeId: string, attachmentId: string): Promise<void>
  /** Issues a secret for an attachment. Fault 'not_found' when it was not added. */
  connect(volumeId: string, attachmentId: string, lifetimeMs: number): Promise<Connection>
}

/** What a volume's sectors are at one moment, all of them. */
export interface TagState {
  /** Higher for every later one. */
  readonly generation: number
  /** 32 bytes. */
  readonly mac: Uint8Array
}

/** What is wrong with a volume whose sectors say when they were changed. */
export interface BadSectors {
  /** By number, some of them. */
  readonly sectors: readonly number[]
  readonly hasMore: boolean
  /** All of it: put back to an earlier state, or without its tags. */
  readonly isLost: boolean
}

/** The book on such volumes, which is kept where whoever writes to the disks of a host does not reach. */
export interface IntegrityBook {
  /** Null for a volume of which nothing was ever remembered. */
  remembered(volumeId: string): Promise<{ readonly state: TagState; readonly bad: BadSectors } | null>
  /** Durable when fulfilled. Never goes back: a state that is not later than the one before is a Fault ('conflict'). */
  remember(volumeId: string, state: TagState): Promise<void>
  /** Takes the place of what was said before. */
  noteBad(volumeId: string, bad: BadSectors): Promise<void>
}

/** For who proves that there is an image for every volume and none besides. */
export interface ImagesPort {
  /** The ids of the volumes that have an image. */
  images(): Promise<readonly string[]>
}
