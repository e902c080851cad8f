// What is wrong with a file that was to become an image. The reasons are those that VPC gives for a failed image.

import { Fault } from '#base/fault.ts'

export const corrupted = (why: string, cause?: unknown): Fault =>
  new Fault('unprocessable', `the image file cannot be used: ${why}`, {
    reason: 'image_data_corrupted',
    ...(cause !== undefined && { cause }),
  })

/** VPC docs, "Troubleshooting encrypted custom images". */
export const dataKeyInvalid = (why: string, cause?: unknown): Fault =>
  new Fault('unprocessable', `encrypted_data_key cannot be used: ${why}`, {
    reason: 'encrypted_data_key_invalid',
    ...(cause !== undefined && { cause }),
  })

export const notEncrypted = (): Fault =>
  new Fault('unprocessable', 'the image file is not encrypted, and came with an encrypted_data_key', {
    reason: 'cos_image_not_encrypted',
  })

export const isEncryptedItself = (): Fault =>
  new Fault('unprocessable', 'the image file is encrypted, and came without an encrypted_data_key', {
    reason: 'cos_image_encrypted',
  })

export const sizeUnsupported = (why: string): Fault =>
  new Fault('unprocessable', why, { reason: 'image_provisioned_size_unsupported' })
