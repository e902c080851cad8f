// The key of an encrypted qcow2 file: LUKS1 in clusters of its own, which an extension of the header names. Written by a
// stranger, as everything in the file. Source: QEMU, docs/interop/qcow2.txt, "Full disk encryption header pointer".

import { luks1BytesMax, openLuks1 } from '#crypto/luks1.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { Fault } from '#base/fault.ts'
import { corrupted, dataKeyInvalid } from './import-faults.ts'
import type { FileKey, StagedFile } from './import-source.ts'

const byLuks = 2
const encryptionHeader = 0x0537be77
const pointerBytes = 16
const sectorBytes = 512

export interface Qcow2Decryption extends Disposable {
  /** In place: bytes that lie in the file from the offset on, which is what their tweaks are made of. */
  decrypt(bytes: Buffer, offset: number): void
}

/** Faults: 'unprocessable' with VPC's reason. The cipher is the caller's to end. */
export async function openQcow2Key(
  file: StagedFile,
  start: Buffer,
  header: { readonly encryption: number; readonly headerBytes: number },
  key: FileKey,
): Promise<Qcow2Decryption> {
  if (header.encryption !== byLuks) throw corrupted('it is encrypted otherwise than by LUKS')
  const { offset, byteCount } = pointerIn(start, header.headerBytes)
  if (byteCount > luks1BytesMax) throw corrupted('its encryption header is too large')
  using volumeKey = await volumeKeyOf(await file.read(offset, byteCount), key)
  // It took seconds.
  key.check()
  const cipher = makeSectorCipher(volumeKey, sectorBytes)
  return {
    decrypt(bytes, at) {
      if (bytes.length % sectorBytes !== 0 || at % sectorBytes !== 0) throw corrupted('it ends within a sector')
      // Between this and the last use, nobody can take the key away.
      key.check()
      cipher.decrypt(bytes, at / sectorBytes)
    },
    [Symbol.dispose]: () => cipher[Symbol.dispose](),
  }
}

async function volumeKeyOf(luks: Buffer, { passphrase }: FileKey): Promise<SecretBytes> {
  let volumeKey: SecretBytes | null
  try {
    volumeKey = await openLuks1(luks, passphrase)
  } catch (error) {
    throw error instanceof Fault ? corrupted(error.message, error) : error
  }
  if (volumeKey) return volumeKey
  throw dataKeyInvalid('the passphrase in it does not open the image file')
}

function pointerIn(start: Buffer, headerBytes: number): { readonly offset: number; readonly byteCount: number } {
  for (let at = headerBytes; at + 8 + pointerBytes <= start.length; ) {
    const length = start.readUInt32BE(at + 4)
    if (start.readUInt32BE(at) === 0) break
    if (start.readUInt32BE(at) === encryptionHeader && length === pointerBytes) {
      const [offset, byteCount] = [start.readBigUInt64BE(at + 8), start.readBigUInt64BE(at + 16)]
      if (offset > BigInt(Number.MAX_SAFE_INTEGER) || byteCount > BigInt(Number.MAX_SAFE_INTEGER)) break
      return { offset: Number(offset), byteCount: Number(byteCount) }
    }
    at += 8 + Math.ceil(length / 8) * 8
  }
  throw corrupted('it has no encryption header')
}
