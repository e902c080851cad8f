// Bodies in `aws-chunked` encoding: chunks of a size and, where they are signed, a signature that covers the one before;
// then trailing headers. Source: Amazon S3 API, "Transferring Payload in Multiple Chunks" and "... Trailing Headers". Bytes
// go on as they come: whoever stores them does not count them as stored before the end has been reached.

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { chunkLineBytesMax } from '#base/limits-cos.ts'
import { hmac, sameText, sha256 } from './signature.ts'

/** How the chunks are signed; null for chunks that are not. */
export interface ChunkSigning {
  readonly key: Buffer
  readonly time: string
  readonly scope: string
  /** The request's own signature, which begins the chain. */
  readonly seed: string
  /** Whether the trailing headers are signed too. */
  readonly hasTrailer: boolean
}

const emptyHash = sha256('')

/** `onTrailer` is told each trailing header, before the end. */
export async function* decodeChunks(
  source: AsyncIterable<Uint8Array>,
  signing: ChunkSigning | null,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Uint8Array> {
  const reader = makeReader(source)
  const chain = signing && makeChain(signing)
  for (;;) {
    const line = await reader.line()
    const [, digits = '', signature] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? []
    if (digits === '') throw malformed('a chunk does not begin with its size')
    const size = Number.parseInt(digits, 16)
    const hash = chain && createHash('sha256')
    for await (const bytes of reader.take(size)) {
      hash?.update(bytes)
      yield bytes
    }
    if (chain && hash) chain.check(hash, signature)
    if (size === 0) break
    if ((await reader.line()) !== '') throw malformed('a chunk is longer than its size')
  }
  await readTrailers(reader, chain, signing?.hasTrailer === true, onTrailer)
}

async function readTrailers(
  reader: Reader,
  chain: Chain | null,
  isSigned: boolean,
  onTrailer: (name: string, value: string) => void,
): Promise<void> {
  let text = ''
  let signature: string | undefined
  for (let line = await reader.lineOrEnd(); line; line = await reader.lineOrEnd()) {
    const [, name = '', value = ''] = /^([A-Za-z0-9-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? []
    if (name === '') throw malformed('a trailing header is malformed')
    if (name.toLowerCase() === 'x-amz-trailer-signature') signature = value
    else {
      text += `${name.toLowerCase()}:${value}\n`
      onTrailer(name.toLowerCase(), value)
    }
    if (text.length > trailersLengthMax) throw malformed('there are too many trailing headers')
  }
  if (isSigned) chain?.checkTrailer(text, signature)
}

const trailersLengthMax = 4 * chunkLineBytesMax

const malformed = (what: string): Fault => new Fault('invalid', what, { reason: 'IncompleteBody' })

interface Chain {
  check(hash: Hash, signature: string | undefined): void
  checkTrailer(text: string, signature: string | undefined): void
}

function makeChain({ key, time, scope, seed }: ChunkSigning): Chain {
  let previous = seed
  const follow = (kind: string, hashes: readonly string[], signature: string | undefined): void => {
    const expected = hmac(key, [`AWS4-HMAC-SHA256-${kind}`, time, scope, previous, ...hashes].join('\n')).toString(
      'hex',
    )
    if (!sameText(expected, signature ?? '')) {
      throw new Fault('forbidden', 'the signature of a chunk does not match', { reason: 'SignatureDoesNotMatch' })
    }
    previous = expected
  }
  return {
    check: (hash, signature) => follow('PAYLOAD', [emptyHash, hash.digest('hex')], signature),
    checkTrailer: (text, signature) => follow('TRAILER', [sha256(text)], signature),
  }
}

interface Reader {
  /** A line without its CR LF; a Fault where the body ends before. */
  line(): Promise<string>
  /** Null at the end of the body. */
  lineOrEnd(): Promise<string | null>
  /** That many bytes, in pieces as they come. */
  take(byteCount: number): AsyncGenerator<Uint8Array>
}

function makeReader(source: AsyncIterable<Uint8Array>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)

  async function more(): Promise<boolean> {
    const { value, done } = await iterator.next()
    if (done) return false
    held = held.length === 0 ? asBuffer(value) : Buffer.concat([held, value])
    return true
  }

  async function lineOrEnd(): Promise<string | null> {
    for (;;) {
      const end = held.indexOf('\r\n')
      if (end !== -1) {
        const line = held.toString('latin1', 0, end)
        held = held.subarray(end + 2)
        return line
      }
      if (held.length > chunkLineBytesMax) throw malformed('a line between chunks is too long')
      if (await more()) continue
      if (held.length > 0) throw malformed('the body ends within a line')
      return null
    }
  }

  return {
    lineOrEnd,
    async line() {
      const line = await lineOrEnd()
      if (line === null) throw malformed('the body ends before its last chunk')
      return line
    },
    async *take(byteCount) {
      for (let left = byteCount; left > 0; ) {
        if (held.length === 0 && !(await more())) throw malformed('the body ends within a chunk')
        const bytes = held.subarray(0, left)
        held = held.subarray(bytes.length)
        left -= bytes.length
        if (bytes.length > 0) yield bytes
      }
    },
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
