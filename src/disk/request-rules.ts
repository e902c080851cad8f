// Which requests may act at all: judged once, before anything is done about one. What is refused here is refused in the
// protocol's own words (NBD protocol, "Request types", "Command flags" and "Error values").

import { nbdRequestBytesMax } from '#base/limits.ts'
import type { Dialect, Refusal, Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'

/** What was agreed on in the handshake. */
export interface Terms extends Dialect {
  readonly sizeBytes: number
  /** The id of base:allocation when the client selected it. */
  readonly allocationContextId: number | null
}

/** With NBD_FLAG_SEND_FUA negotiated, "the server MUST accept all commands with this bit set". */
const { fua } = commandFlag

const flagsAllowed = new Map<number, number>([
  [command.read, fua | commandFlag.df],
  [command.write, fua],
  [command.disconnect, fua],
  [command.flush, fua],
  [command.trim, fua],
  [command.cache, fua],
  [command.writeZeroes, fua | commandFlag.noHole | commandFlag.fastZero],
  [command.blockStatus, fua | commandFlag.reqOne],
])

/** Null when the request may act. */
export function refuse(request: Request, terms: Terms): Refusal | null {
  const allowed = flagsAllowed.get(request.type)
  if (allowed === undefined) return invalid(`command ${request.type} is not known`)
  const isWrite = request.type === command.write
  // "NBD_CMD_FLAG_PAYLOAD_LEN": set with every payload once extended headers are in use, and else not at all. Nothing
  // but a write has a payload here: no context was offered whose status could be filtered.
  const expected = terms.extended && isWrite ? commandFlag.payloadLength : 0
  if ((request.flags & commandFlag.payloadLength) !== expected) return invalid('flag PAYLOAD_LEN is not in its place')
  if ((request.flags & ~allowed & ~expected) !== 0)
    return invalid(`flags ${request.flags} do not belong to this command`)
  if (request.type === command.flush) return refuseFlush(request)
  if (request.byteCount === 0) return invalid('a request for no bytes')
  return refuseRange(request, terms) ?? refuseByTerms(request, terms)
}

function refuseFlush({ offset, byteCount }: Request): Refusal | null {
  return offset === 0 && byteCount === 0 ? null : invalid('offset and length of a flush are reserved')
}

function refuseRange({ type, offset, byteCount }: Request, { sizeBytes }: Terms): Refusal | null {
  if (offset <= sizeBytes && byteCount <= sizeBytes - offset) return null
  // "Error values": ENOSPC for a write beyond the end, EINVAL for a read or trim.
  const isWrite = type === command.write || type === command.writeZeroes
  return { error: isWrite ? 'ENOSPC' : 'EINVAL', sentence: 'the request reaches beyond the end of the volume' }
}

function refuseByTerms(request: Request, { structured, allocationContextId }: Terms): Refusal | null {
  const isTooLong = request.byteCount > nbdRequestBytesMax
  switch (request.type) {
    case command.read:
      // NBD_FLAG_SEND_DF is offered with structured replies only.
      if (!structured && (request.flags & commandFlag.df) !== 0) return invalid('flag DF was not negotiated')
      if (isTooLong) return { error: structured ? 'EOVERFLOW' : 'EINVAL', sentence: 'the read is too long' }
      return null
    case command.write:
      return isTooLong ? invalid('the write is too long') : null
    case command.blockStatus:
      return allocationContextId === null ? invalid('no metadata context was selected') : null
    case command.writeZeroes:
      // Zeros are encrypted and written like other data, so they are never fast, and the client must be told at once.
      if ((request.flags & commandFlag.fastZero) === 0) return null
      return { error: 'ENOTSUP', sentence: 'zeros are not written faster than data' }
    default:
      return null
  }
}

const invalid = (sentence: string): Refusal => ({ error: 'EINVAL', sentence })
