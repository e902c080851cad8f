// The files that `verify` reads: answers of the server, as they came. JSON has many spellings of one thing; these have one,
// so that not a byte of what somebody hands on can differ from what was signed.

export interface RecordFile {
  readonly type: 'keyward-audit-proof'
  readonly entry: string
  readonly proof: string
  readonly verifier: string
}

export interface Certificate {
  readonly type: 'keyward-destroy-certificate'
  readonly statement: string
  readonly persons: string
  readonly entry: string
  readonly proof: string
  readonly verifier: string
}

export interface Part {
  readonly type: 'keyward-destroy-certificate-part'
  readonly statement: string
  readonly data_keys: readonly { readonly leaf: string; readonly index: number; readonly hashes: readonly string[] }[]
  readonly entry: string
  readonly proof: string
  readonly verifier: string
}

export function readRecord(text: string): RecordFile | null {
  const file = parsed(text)
  if (file?.['type'] !== 'keyward-audit-proof' || !areTexts(file, ['entry', 'proof', 'verifier'])) return null
  // Of records the spelling is free: what counts is hashed and signed inside.
  const { entry, proof, verifier } = file
  return { type: 'keyward-audit-proof', entry, proof, verifier }
}

export function readCertificate(text: string): Certificate | null {
  const file = parsed(text)
  const type = 'keyward-destroy-certificate'
  if (file?.['type'] !== type || !areTexts(file, ['statement', 'persons', 'entry', 'proof', 'verifier'])) return null
  const { statement, persons, entry, proof, verifier } = file
  return asWritten(text, { type, statement, persons, entry, proof, verifier })
}

export function readPart(text: string): Part | null {
  const file = parsed(text)
  const type = 'keyward-destroy-certificate-part'
  if (file?.['type'] !== type || !areTexts(file, ['statement', 'entry', 'proof', 'verifier'])) return null
  const { statement, data_keys: list, entry, proof, verifier } = file
  const dataKeys = Array.isArray(list) ? list.map(dataKeyOf) : [null]
  if (dataKeys.includes(null)) return null
  const known = dataKeys.filter((one) => one !== null)
  return asWritten(text, { type, statement, data_keys: known, entry, proof, verifier })
}

function dataKeyOf(value: unknown): Part['data_keys'][number] | null {
  if (!isObject(value) || !areTexts(value, ['leaf'])) return null
  const { leaf, index, hashes } = value
  if (typeof index !== 'number' || !Array.isArray(hashes) || !hashes.every((hash) => typeof hash === 'string'))
    return null
  return { leaf, index, hashes }
}

/** An end of line, which editors and `echo` add, is let pass. */
const asWritten = <File>(text: string, file: File): File | null =>
  text.replace(/\n$/, '') === JSON.stringify(file) ? file : null

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const areTexts = <Name extends string>(
  value: Record<string, unknown>,
  names: readonly Name[],
): value is Record<string, unknown> & Record<Name, string> => names.every((name) => typeof value[name] === 'string')
