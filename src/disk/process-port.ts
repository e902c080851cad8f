// What a disk process and the process that started it say to each other over their channel.

import type { LogLevel } from '#base/log.ts'
import type { FenceAck, KmsPort } from '#kms/port.ts'
import type { MomentsPort } from './moments.ts'
import type { DiskPort, ExportWanted, ImportSpec, IntegrityBook, SnapshotTaken, VolumeSpec } from './port.ts'

/** The first message to the child. It carries a secret, so it is not on the command line, where everybody reads it. */
export interface ProcessSettings {
  readonly holderId: string
  readonly dataFolder: string
  readonly host: string
  /** 0 for any. */
  readonly tcpPort: number
  readonly accessSecret: Uint8Array
  readonly logLevel: LogLevel
  readonly laneThreadsMax: number
}

export interface Hello {
  readonly holderId: string
  /** SPKI DER of the Ed25519 key that signs this process's acknowledgements. */
  readonly publicKey: Uint8Array
  readonly tcpPort: number
}

/** What the child offers. A stream does not cross: files are staged (staging.ts), by the parent or for it. */
export interface DiskProcessPort
  extends Omit<DiskPort, 'importImage' | 'exportImage' | 'createSnapshot' | 'createSnapshots'> {
  /** With a moment, at the one at which all of its copies are taken (moments.ts). */
  createSnapshot(source: VolumeSpec, snapshot: VolumeSpec, momentId?: string): Promise<SnapshotTaken>
  /** Makes the image of the staged file. */
  importStaged(image: VolumeSpec, wanted: ImportSpec): Promise<void>
  /** Makes the file of the image. */
  exportStaged(image: VolumeSpec, wanted: ExportWanted): Promise<void>
  /** Fulfilled when clients can come. */
  hello(): Promise<Hello>
  fence(leaseIds: readonly string[]): Promise<readonly FenceAck[]>
}

/** What the parent offers. */
export type ParentPort = Pick<KmsPort, 'leaseDataKey' | 'renewLeases' | 'releaseLeases'> & MomentsPort & IntegrityBook
