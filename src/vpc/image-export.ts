// A job that writes a custom image to object storage, as the rest of this folder sees it. Source: VPC API,
// "ImageExportJob"; VPC docs, "Exporting a custom image to IBM Cloud Object Storage".

import type { ImageExportId, ImageId } from '#base/id.ts'
import type { ExportFormat } from '#disk/port.ts'
import type { StatusReason } from './volume-state.ts'

export type ExportStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'deleting'

export interface ImageExport {
  readonly id: ImageExportId
  readonly imageId: ImageId
  readonly accountId: string
  readonly region: string
  readonly name: string
  readonly format: ExportFormat
  readonly bucket: { readonly name: string; readonly crn: string; readonly location: string }
  /** Of no other job, so that writing it again writes over nothing else. */
  readonly object: string
  /** What opens the file, wrapped under the image's root key; null for a file in the clear, and until it is made. */
  readonly passphrase: Uint8Array | null
  readonly status: ExportStatus
  readonly failure: StatusReason | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly completedAt: number | null
}

export const unfinished: readonly ExportStatus[] = ['queued', 'running', 'deleting']
