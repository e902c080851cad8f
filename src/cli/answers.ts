// Small readings of answers and of bytes on a disk, for the tour.

import { closeSync, openSync, readSync } from 'node:fs'
import { TourBroken } from './teller.ts'
import type { Answer } from './teller.ts'

export function text(answer: Answer, name: string): string {
  const value = answer[name]
  if (typeof value !== 'string') throw new TourBroken(`the answer has no ${name}`)
  return value
}

export function first(answer: Answer, name: string): Answer {
  const list = answer[name]
  const item: unknown = Array.isArray(list) ? list[0] : undefined
  if (typeof item !== 'object' || item === null) throw new TourBroken(`the answer has no ${name}`)
  return { ...item }
}

export const pick =
  (...names: string[]) =>
  (answer: Answer): Answer =>
    Object.fromEntries(names.filter((name) => name in answer).map((name) => [name, answer[name]]))

export function readAt(path: string, offset: number, count: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(count)
    readSync(file, bytes, 0, count, offset)
    return bytes
  } finally {
    closeSync(file)
  }
}

export const hex = (bytes: Buffer, at: number): string =>
  (bytes.toString('hex', at, at + 16).match(/..../g) ?? []).join(' ')
export const printable = (bytes: Buffer, at: number): string =>
  bytes.toString('latin1', at, at + 16).replaceAll(/[^\x21-\x7e]/g, '.')
