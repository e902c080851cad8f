// Base64 (RFC 4648, section 4) between bytes and bytes, for secrets in files: a text could not be wiped.

const alphabet = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const pad = 0x3d

/** Owned by the caller, as is `bytes`. */
export function encodeBase64(bytes: Uint8Array): Uint8Array {
  const text = new Uint8Array(new ArrayBuffer(Math.ceil(bytes.length / 3) * 4)).fill(pad)
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const rest = bytes.length - from
    const word = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0)
    for (let digit = 0; digit < Math.min(rest, 3) + 1; digit += 1) {
      text[to + digit] = alphabet[(word >> (18 - 6 * digit)) & 63] ?? pad
    }
  }
  return text
}

/** The bytes, owned by the caller; null for a text that is not base64. White space at the end is a file's, not the text's. */
export function decodeBase64(text: Uint8Array): Uint8Array | null {
  let end = text.length
  while (end > 0 && isSpace(text[end - 1])) end -= 1
  if (end === 0 || end % 4 !== 0) return null
  let digits = end
  while (digits > end - 2 && text[digits - 1] === pad) digits -= 1
  const bytes = new Uint8Array(new ArrayBuffer(Math.floor((digits * 3) / 4)))
  let word = 0
  for (let at = 0, to = 0; at < digits; at += 1) {
    const value = alphabet.indexOf(text[at] ?? pad)
    if (value === -1) {
      bytes.fill(0)
      return null
    }
    word = ((word << 6) | value) & 0xffffff
    if (at % 4 > 0 && to < bytes.length) bytes[to++] = (word >> (6 - 2 * (at % 4))) & 0xff
  }
  return bytes
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
