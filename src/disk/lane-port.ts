// What a thread that serves a connection (a lane) is given by the thread that started it. All of it crosses between
// threads: plain data, addresses and shared memory.

import type { Terms } from './request-rules.ts'
import type { RightView } from './right.ts'
import type { LoanView } from './two-keys.ts'

/** What a volume shares with the threads that serve it. */
export interface VolumeView {
  readonly right: RightView
  readonly lockMemory: SharedArrayBuffer
  readonly preservationMemory: SharedArrayBuffer
  readonly throttleMemory: SharedArrayBuffer
  readonly file: FileView
}

export interface FileView {
  readonly fd: number
  readonly commitMemory: SharedArrayBuffer
  readonly dataOffsetBytes: number
  readonly sizeBytes: number
  readonly sectorBytes: number
}

/** The bytes between the kernel and the requests. */
export type WireView =
  | { readonly kind: 'plain'; readonly fd: bigint }
  /** `ssl` is the address of a connection of OpenSSL over the same socket. */
  | { readonly kind: 'tls'; readonly fd: bigint; readonly ssl: bigint }

export interface LaneJob {
  readonly volume: VolumeView
  readonly wire: WireView
  readonly terms: Terms
  /** The lanes of a connection share what they have received and whose turn it is. */
  readonly control: SharedArrayBuffer
  readonly input: SharedArrayBuffer
  /** This lane's number among them. */
  readonly lane: number
  readonly loan: LoanView
}

/** Words of `control`. Two locks (mutex.ts), a stretch of `input`, and what everybody should know. */
export const controlWord = {
  receiving: 0,
  sending: 1,
  /** What has been received and not been looked at; read and written by the one who receives. */
  inputStart: 2,
  inputEnd: 3,
  /** 1 when no more requests will be taken. */
  ended: 4,
  /** How many lanes there are. */
  lanes: 5,
  /** Lanes that are busy with something that they received, and have not come back for more. */
  atWork: 6,
  /** 1 while lane n is inside the cipher: what was lent is taken back only after that. */
  inCipher: 7,
} as const
export const lanesMax = 2
export const controlWords = controlWord.inCipher + lanesMax
