// `verify FILE`: whether a file proves what it says: that an audit log holds a record, or that a key and the data keys under
// it were destroyed. Needs no server, and asks none.

import { readFileSync } from 'node:fs'
import { verifyCertificate, verifyPart } from '#crypto/destroy-certificate.ts'
import type { Certified } from '#crypto/destroy-certificate.ts'
import { hashLeaf } from '#crypto/merkle-tree.ts'
import { formatVerifier, parseBase64, parseVerifier, verifyProof } from '#crypto/signed-note.ts'
import type { NoteVerifier } from '#crypto/signed-note.ts'
import { TourBroken } from './teller.ts'
import { readCertificate, readPart, readRecord } from './verify-file.ts'
import type { Part } from './verify-file.ts'

/** What was proved, in words; throws where nothing was. `trusted` is the verifier that the reader noted down earlier. */
export function verifyFile(path: string, trusted: string | undefined): string {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new TourBroken(`${path} cannot be read`, { cause })
  }
  return verifyBytes(bytes, path, trusted)
}

export function verifyBytes(bytes: Uint8Array, path: string, trusted: string | undefined): string {
  const text = textOf(bytes)
  const file = readRecord(text) ?? readCertificate(text) ?? readPart(text)
  if (!file) throw new TourBroken(`${path} is no proof: it should be an answer of the server, byte for byte as it came`)
  const verifier = verifierFor(file.verifier, trusted)
  const proved = file.type === 'keyward-audit-proof' ? provedRecord(file, verifier) : provedEnd(file, verifier)
  if (proved === null) throw new TourBroken(`${path}: NOT proved: ${unproved[file.type](verifier)}`)
  return [
    ...proved,
    '',
    trusted === undefined
      ? `The signature is that of the key which the file itself names. Compare it with the one you trust:\n${formatVerifier(verifier)}`
      : 'The signature is that of the key you gave.',
    '',
  ].join('\n')
}

const unproved = {
  'keyward-audit-proof': ({ name }: NoteVerifier) => `the log of ${name} does not hold this entry`,
  'keyward-destroy-certificate': () => 'statement, persons, record and signatures do not belong together',
  'keyward-destroy-certificate-part': () => 'statement, data keys, record and signatures do not belong together',
}

/** The empty text for bytes that are none. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return ''
  }
}

/** A file that names another verifier than the trusted one is another installation's, or somebody's who tried. */
function verifierFor(named: string, trusted: string | undefined): NoteVerifier {
  if (trusted !== undefined && trusted !== named)
    throw new TourBroken(`NOT proved: the file is of ${named}, and not of the key that you gave`)
  const verifier = parseVerifier(named)
  if (!verifier) throw new TourBroken(`${JSON.stringify(named.slice(0, 200))} is no verifier of an Ed25519 key`)
  return verifier
}

function provedRecord({ entry, proof }: { entry: string; proof: string }, verifier: NoteVerifier): string[] | null {
  const checkpoint = verifyProof(proof, hashLeaf(Buffer.from(entry)), verifier)
  return checkpoint && [`proved: the log ${checkpoint.origin}, at ${checkpoint.size} entries, holds`, '', entry]
}

type Ended = NonNullable<ReturnType<typeof readCertificate> | ReturnType<typeof readPart>>

function provedEnd(file: Ended, verifier: NoteVerifier): string[] | null {
  if (file.type === 'keyward-destroy-certificate') {
    const certified = verifyCertificate(file, verifier)
    return certified && [...keyLines(certified, verifier), '', `by: ${file.persons}`]
  }
  const dataKeys = file.data_keys.map(provedDataKey)
  const certified = dataKeys.includes(null)
    ? null
    : verifyPart({ ...file, dataKeys: dataKeys.filter((one) => one !== null) }, verifier)
  return certified && [...keyLines(certified, verifier), '', 'with it these wrapped data keys:', ...leaves(file)]
}

function provedDataKey({ leaf, index, hashes: encoded }: Part['data_keys'][number]) {
  const hashes = encoded.map(parseBase64)
  return hashes.includes(null) ? null : { leaf, index, hashes: hashes.filter((hash) => hash !== null) }
}

const leaves = (file: Part): string[] => file.data_keys.map(({ leaf }) => `  ${leaf}`)

const keyLines = ({ statement, logSize }: Certified, { name }: NoteVerifier): string[] => [
  `proved: the key ${statement.keyCrn}`,
  `was deleted at ${statement.deletedAt} and purged at ${statement.purgedAt} (${ruleWords[statement.rule]}),`,
  `with ${statement.versions.length} versions of its material and ${statement.dataKeyCount} wrapped data keys`,
  ...statement.versions.map(({ id, createdAt }) => `  version ${id} of ${createdAt}`),
  `The log ${name}, at ${logSize} entries, holds the record of it.`,
]

const ruleWords = {
  requested: 'somebody asked for it',
  retention: 'a deleted key is kept for 90 days',
  'instance-deleted': 'with its instance',
} as const
