// SSH public keys as the API takes them. Pure. Sources: RFC 4253, section 6.6 (ssh-rsa); RFC 8709, section 4
// (ssh-ed25519); VPC API, "KeyPrototype": RSA of 2048 or 4096 bits, or Ed25519; the fingerprint is the one of OpenSSH.

import { createHash } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import type { Facts } from './record.ts'

const rsaLengths: readonly number[] = [2048, 4096]

/** Type and length as read from the key itself; Faults say what is wrong with it. */
export function parseSshKey(text: string): Facts['key'] {
  const [algorithm, encoded] = text.trim().split(/[ \t]+/)
  if (algorithm === undefined || encoded === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw unreadable()
  const blob = Buffer.from(encoded, 'base64')
  const fields = fieldsOf(blob)
  const [name, ...rest] = fields
  if (name?.toString('latin1') !== algorithm) throw unreadable()
  const { type, length } = algorithm === 'ssh-rsa' ? rsa(rest) : ed25519(algorithm, rest)
  const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
  return { type, length, fingerprint, publicKey: `${algorithm} ${encoded}` }
}

/** RFC 4251, section 5: each field is a length of four bytes and that many bytes. */
function fieldsOf(blob: Buffer): Buffer[] {
  const fields: Buffer[] = []
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) throw unreadable()
    const end = at + 4 + blob.readUInt32BE(at)
    if (end > blob.length) throw unreadable()
    fields.push(blob.subarray(at + 4, end))
    at = end
  }
  return fields
}

function rsa([exponent, modulus, ...rest]: readonly Buffer[]) {
  if (!exponent || !modulus || exponent.length === 0 || rest.length > 0) throw unreadable()
  const length = bitsOf(modulus)
  if (rsaLengths.includes(length)) return { type: 'rsa', length } as const
  throw wrongType(`is an RSA key of ${length} bits, and must have ${rsaLengths.join(' or ')}`)
}

function ed25519(algorithm: string, [point, ...rest]: readonly Buffer[]) {
  if (algorithm !== 'ssh-ed25519') throw wrongType('must be an ssh-rsa or ssh-ed25519 key')
  if (point?.length !== 32 || rest.length > 0) throw unreadable()
  return { type: 'ed25519', length: 256 } as const
}

/** Of a number as RFC 4251 writes it: the first byte is zero where the first bit would be a sign. */
function bitsOf(number: Buffer): number {
  const start = number.findIndex((byte) => byte !== 0)
  if (start < 0) return 0
  return (number.length - start) * 8 - Math.clz32(number[start] ?? 0) + 24
}

const target = { type: 'field', name: 'public_key' } as const
const unreadable = (): Fault =>
  new Fault('invalid', 'public_key is not an SSH public key', { reason: 'key_parse_failure', target })
const wrongType = (rule: string): Fault =>
  new Fault('invalid', `public_key ${rule}`, { reason: 'key_invalid_type', target })
