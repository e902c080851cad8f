// What requests for images hear when they cannot be met. Source: VPC API error catalogue, `cos_*` and `image_*`; VPC docs,
// "Troubleshooting custom images".

import { Fault } from '#base/fault.ts'
import type { Image } from './image.ts'
import type { ImageStatus } from './image-state.ts'

export const imageNotFound = (id: string): Fault =>
  new Fault('not_found', `image with id ${JSON.stringify(id.slice(0, 64))} is not found`)

export const imageUnknown = (id: string): Fault =>
  wrong('image', `image with id ${JSON.stringify(id.slice(0, 64))} is not found`, 'validation_invalid_ref')

export const imageNameTaken = (name: string): Fault =>
  wrong('name', `Provided Name (${name}) is not unique`, 'validation_unique_failed')

export const imageInStatus = (image: Pick<Image, 'id'>, status: ImageStatus, why = ''): Fault =>
  new Fault('conflict', `image ${image.id} is ${status}${why}`, { reason: 'invalid_state' })

export const imageGivenUp = (): Fault => new Fault('unavailable', 'making the image took too long: it was given up')

export const isPublic = (): Fault =>
  new Fault('forbidden', 'this image is public, and nobody’s to change', { reason: 'invalid_action_for_public_image' })

export const wrong = (name: string, message: string, reason = 'bad_field'): Fault =>
  new Fault('invalid', message, { reason, target: { type: 'field', name } })

/** Object storage’s refusals, in the words of the VPC API. */
export function storageRefused(error: unknown, field: 'file.href' | 'storage_bucket'): unknown {
  if (!(error instanceof Fault)) return error
  const details = { target: { type: 'field', name: field }, cause: error } as const
  const { explanation } = error
  if (error.code === 'forbidden') {
    const more = { ...details, reason: 'cos_not_authorized', ...(explanation && { explanation }) }
    return new Fault('forbidden', error.message, more)
  }
  if (error.code !== 'not_found' && error.code !== 'invalid') return error
  return new Fault('invalid', `${field} names nothing: ${error.message}`, { ...details, reason: 'cos_not_found' })
}
