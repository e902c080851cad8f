// The handshake (NBD protocol, "Fixed newstyle negotiation"): what a client and we agree on before any data move. It
// reads from a ByteReader and writes replies; who the client is and what it may have is the lobby's business. On TCP
// nothing is said before TLS: the server "operates in FORCEDTLS mode".

import { Fault } from '#base/fault.ts'
import { nbdOptionBytesMax, nbdOptionsMax, nbdRequestBytesMax, sectorBytes } from '#base/limits.ts'
import type { ByteReader } from './byte-reader.ts'
import { clientFlagsBytes, decodeContextRequest, decodeInfoRequest, decodeName } from './nbd-options.ts'
import { decodeOptionHeader, encodeAllocationContext, encodeBlockSizeInfo, encodeExportInfo } from './nbd-options.ts'
import { encodeExportNameAnswer, encodeListEntry, encodeNameInfo, encodeOptionError } from './nbd-options.ts'
import { encodeOptionReply, optionHeaderBytes } from './nbd-options.ts'
import { allocationContext, encodeGreeting, handshakeFlag, info, option, optionReply } from './nbd-wire.ts'
import { transmissionFlag } from './nbd-wire.ts'

/** An export as its client sees it before and after it has been opened. `Opened` is for the one who transmits. */
export interface Offer<Opened> {
  readonly exportName: string
  sizeBytes(): number
  /** Faults become NBD_REP_ERR_POLICY with their sentence. */
  open(): Promise<Opened>
}

export interface Lobby<Opened> {
  readonly tls: 'required' | 'active' | 'absent'
  /** The one export that this client may have; null when there is none. */
  offer(): Offer<Opened> | null
  /** Whether the empty name, "the default export", means the offer. */
  readonly hasDefault: boolean
}

export type Outcome<Opened> =
  | { readonly next: 'hangUp' }
  | { readonly next: 'startTls'; readonly clientFlags: number }
  | {
      readonly next: 'transmit'
      readonly opened: Opened
      readonly structured: boolean
      readonly extended: boolean
      readonly allocationContextId: number | null
    }

export interface Talk {
  readonly reader: ByteReader
  write(bytes: Uint8Array): void
}

/** Sends the greeting and returns the client's flags, or null for flags that we must hang up on ("Client flags"). */
export async function greet({ reader, write }: Talk): Promise<number | null> {
  write(encodeGreeting())
  const flags = (await reader.take(clientFlagsBytes)).readUInt32BE(0)
  return (flags & ~(handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes)) === 0 ? flags : null
}

/** Answers options until the client goes on, leaves, or breaks the protocol. Rejects with Disconnected. */
export async function negotiate<Opened>(
  talk: Talk,
  lobby: Lobby<Opened>,
  clientFlags: number,
): Promise<Outcome<Opened>> {
  const haggling = new Haggling(talk, lobby, clientFlags)
  for (let count = 0; count < nbdOptionsMax; count += 1) {
    const header = decodeOptionHeader(await talk.reader.take(optionHeaderBytes))
    if (!header || header.dataBytes > nbdOptionBytesMax) break
    const data = await talk.reader.take(header.dataBytes)
    const outcome = await haggling.answer(header.option, data)
    if (outcome) return outcome
  }
  return { next: 'hangUp' }
}

const hangUp = { next: 'hangUp' } as const
const noReply = null
/** Unique among the contexts of a connection; there is only one. */
const allocationId = 1

class Haggling<Opened> {
  readonly #talk: Talk
  readonly #lobby: Lobby<Opened>
  readonly #clientFlags: number
  #structured = false
  #extended = false
  #hasContext = false

  constructor(talk: Talk, lobby: Lobby<Opened>, clientFlags: number) {
    this.#talk = talk
    this.#lobby = lobby
    this.#clientFlags = clientFlags
  }

  /** The outcome, or null when the client may send its next option. */
  async answer(asked: number, data: Buffer): Promise<Outcome<Opened> | null> {
    if (asked === option.abort) return this.#reply(asked, optionReply.ack, hangUp)
    if (asked === option.startTls) return this.#answerStartTls(data)
    if (this.#lobby.tls === 'required') {
      // NBD_OPT_EXPORT_NAME cannot be answered by an error.
      if (asked === option.exportName) return hangUp
      return this.#refuse(asked, optionReply.errTlsRequired, 'this server talks over TLS only')
    }
    return this.#answerTrusted(asked, data)
  }

  #answerTrusted(asked: number, data: Buffer): Promise<Outcome<Opened> | null> | Outcome<Opened> | null {
    switch (asked) {
      case option.exportName:
        return this.#answerExportName(data)
      case option.list:
        return this.#answerList(data)
      case option.info:
      case option.go:
        return this.#answerInfoOrGo(asked, data)
      case option.structuredReply:
        if (data.length > 0) return this.#refuseData(asked)
        // "NBD_OPT_EXTENDED_HEADERS": they are structured replies already.
        if (this.#extended) return this.#refuse(asked, optionReply.errExtendedHeadersRequired, 'headers are extended')
        this.#structured = true
        return this.#reply(asked, optionReply.ack, noReply)
      case option.extendedHeaders:
        if (data.length > 0) return this.#refuseData(asked)
        this.#structured = true
        this.#extended = true
        return this.#reply(asked, optionReply.ack, noReply)
      case option.listMetaContext:
      case option.setMetaContext:
        return this.#answerMetaContext(asked, data)
      default:
        return this.#refuse(asked, optionReply.errUnsupported, `option ${asked} is not known`)
    }
  }

  #answerStartTls(data: Buffer): Outcome<Opened> | null {
    if (data.length > 0) return this.#refuseData(option.startTls)
    switch (this.#lobby.tls) {
      case 'required':
        return this.#reply(option.startTls, optionReply.ack, { next: 'startTls', clientFlags: this.#clientFlags })
      case 'active':
        return this.#refuse(option.startTls, optionReply.errInvalid, 'TLS is active already')
      case 'absent':
        return this.#refuse(option.startTls, optionReply.errPolicy, 'a unix socket is reached by its owner only')
    }
  }

  #answerList(data: Buffer): null {
    if (data.length > 0) return this.#refuseData(option.list)
    const offer = this.#lobby.offer()
    if (offer) this.#talk.write(encodeListEntry(offer.exportName))
    return this.#reply(option.list, optionReply.ack, noReply)
  }

  async #answerExportName(data: Buffer): Promise<Outcome<Opened>> {
    const name = decodeName(data)
    const offer = name === null ? null : this.#find(name)
    // With extended headers "a client MUST NOT use NBD_OPT_EXPORT_NAME", which has no answer for that.
    if (!offer || this.#extended) return hangUp
    let opened: Opened
    try {
      opened = await offer.open()
    } catch (error) {
      if (error instanceof Fault) return hangUp
      throw error
    }
    const hasZeroes = (this.#clientFlags & handshakeFlag.noZeroes) === 0
    this.#talk.write(encodeExportNameAnswer({ sizeBytes: offer.sizeBytes(), flags: this.#flags() }, hasZeroes))
    return this.#transmit(opened)
  }

  async #answerInfoOrGo(asked: number, data: Buffer): Promise<Outcome<Opened> | null> {
    const request = decodeInfoRequest(data)
    if (!request) return this.#refuse(asked, optionReply.errInvalid, 'the name or the list does not fit the data')
    const offer = this.#find(request.exportName)
    if (!offer) return this.#refuse(asked, optionReply.errUnknown, 'there is no such export here')
    if (asked === option.info) {
      this.#sendInfo(asked, offer, request.wanted)
      return this.#reply(asked, optionReply.ack, noReply)
    }
    let opened: Opened
    try {
      opened = await offer.open()
    } catch (error) {
      if (error instanceof Fault) return this.#refuse(asked, optionReply.errPolicy, error.message)
      throw error
    }
    this.#sendInfo(asked, offer, request.wanted)
    return this.#reply(asked, optionReply.ack, this.#transmit(opened))
  }

  #sendInfo(asked: number, offer: Offer<Opened>, wanted: readonly number[]): void {
    this.#talk.write(encodeExportInfo(asked, { sizeBytes: offer.sizeBytes(), flags: this.#flags() }))
    if (wanted.includes(info.name)) this.#talk.write(encodeNameInfo(asked, offer.exportName))
    // "Size constraints": less than a sector costs us a read before the write, so we say what we prefer.
    const sizes = { min: 1, preferred: sectorBytes, max: nbdRequestBytesMax }
    if (wanted.includes(info.blockSize)) this.#talk.write(encodeBlockSizeInfo(asked, sizes))
  }

  #answerMetaContext(asked: number, data: Buffer): null {
    // NBD_OPT_SET_META_CONTEXT "replaces all previously-set metadata contexts (including when this command fails)".
    if (asked === option.setMetaContext) this.#hasContext = false
    if (!this.#structured) return this.#refuse(asked, optionReply.errInvalid, 'structured replies come first')
    const request = decodeContextRequest(data)
    if (!request) return this.#refuse(asked, optionReply.errInvalid, 'the name or the queries do not fit the data')
    if (!this.#find(request.exportName))
      return this.#refuse(asked, optionReply.errUnknown, 'there is no such export here')
    const isList = asked === option.listMetaContext
    const isFound = isList
      ? request.queries.length === 0 ||
        request.queries.some((query) => query === 'base:' || query === allocationContext)
      : request.queries.includes(allocationContext)
    if (isFound) this.#talk.write(encodeAllocationContext(asked, isList ? 0 : allocationId))
    if (!isList) this.#hasContext = isFound
    return this.#reply(asked, optionReply.ack, noReply)
  }

  #find(name: string): Offer<Opened> | null {
    const offer = this.#lobby.offer()
    if (!offer) return null
    return name === offer.exportName || (name === '' && this.#lobby.hasDefault) ? offer : null
  }

  /** "Transmission flags". NBD_FLAG_SEND_DF must stay clear without structured replies. */
  #flags(): number {
    const { hasFlags, sendFlush, sendFua, sendTrim, sendWriteZeroes, sendDf, canMultiConn, sendCache, sendFastZero } =
      transmissionFlag
    const always = hasFlags | sendFlush | sendFua | sendTrim | sendWriteZeroes | canMultiConn | sendCache | sendFastZero
    return this.#structured ? always | sendDf : always
  }

  #transmit(opened: Opened): Outcome<Opened> {
    const allocationContextId = this.#hasContext ? allocationId : null
    return { next: 'transmit', opened, structured: this.#structured, extended: this.#extended, allocationContextId }
  }

  #reply<Result>(asked: number, type: number, result: Result): Result {
    this.#talk.write(encodeOptionReply(asked, type))
    return result
  }

  #refuse(asked: number, type: number, sentence: string): null {
    this.#talk.write(encodeOptionError(asked, type, sentence))
    return noReply
  }

  #refuseData(asked: number): null {
    return this.#refuse(asked, optionReply.errInvalid, 'this option has no data')
  }
}
