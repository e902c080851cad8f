// What is wrong with a file that was to become an image. The reasons are those that VPC gives for a failed image.

import { Fault } from '#base/fault.ts'

export const corrupted = (why: string, cause?: unknown): Fault =>
  new Fault('unprocessable', `the image file cannot be used: ${why}`, {
    reason: 'image_data_corrupted',
    ...(cause !== undefined && { cause }),
  })

export const sizeUnsupported = (why: string): Fault =>
  new Fault('unprocessable', why, { reason: 'image_provisioned_size_unsupported' })
