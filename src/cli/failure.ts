// How commands fail: a sentence, what to do next, and an exit code that scripts may rely on.

import type { Refusal } from '#client/refusal.ts'

export const exitCodes = {
  ok: [0, 'done'],
  failed: [1, 'something went wrong, or the answer is no'],
  usage: [2, 'the command line is not understood, or nobody could be asked'],
  denied: [3, 'not signed in, or not permitted'],
  notFound: [4, 'there is no such thing, or none that one may know of'],
  conflict: [5, 'not in this state'],
  away: [6, 'no answer, or too busy: trying again may help'],
  interrupted: [130, 'interrupted by ^C'],
} as const

export type ExitCode = keyof typeof exitCodes

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: ExitCode
  /** The next step, as a sentence or a command. */
  readonly next: string | undefined

  constructor(code: ExitCode, message: string, details: { readonly next?: string; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.next = details.next
  }
}

export const numberOf = (code: ExitCode): number => exitCodes[code][0]

/** The exit code for what a server refused. */
export function codeOfRefusal({ status, explanation }: Refusal): ExitCode {
  // A volume whose key's owner does not permit it is answered 400, in the words of VPC.
  if (status === 401 || status === 403 || explanation !== null) return 'denied'
  if (status === 404 || status === 410) return 'notFound'
  if (status === 409 || status === 412) return 'conflict'
  if (status === 0 || status === 429 || status === 503 || status === 504) return 'away'
  return 'failed'
}
