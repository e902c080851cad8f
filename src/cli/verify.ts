// `verify FILE`: whether an audit log holds what a file says that it holds. Needs no server, and asks none.

import { readFileSync } from 'node:fs'
import { hashLeaf } from '#crypto/merkle-tree.ts'
import { formatVerifier, parseVerifier, verifyProof } from '#crypto/signed-note.ts'
import { TourBroken } from './teller.ts'

/** What was proved, in words; throws where nothing was. `trusted` is the verifier that the reader noted down earlier. */
export function verifyFile(path: string, trusted: string | undefined): string {
  const file = parseFile(path)
  const named = trusted ?? file.verifier
  const verifier = parseVerifier(named)
  if (!verifier) throw new TourBroken(`${JSON.stringify(named.slice(0, 200))} is no verifier of an Ed25519 key`)
  const checkpoint = verifyProof(file.proof, hashLeaf(Buffer.from(file.entry)), verifier)
  if (!checkpoint) throw new TourBroken(`${path}: NOT proved: the log of ${verifier.name} does not hold this entry`)
  return [
    `proved: the log ${checkpoint.origin}, at ${checkpoint.size} entries, holds`,
    '',
    file.entry,
    '',
    trusted === undefined
      ? `The signature is that of the key which the file itself names. Compare it with the one you trust:\n${formatVerifier(verifier)}`
      : 'The signature is that of the key you gave.',
    '',
  ].join('\n')
}

interface ProofFile {
  readonly entry: string
  readonly proof: string
  readonly verifier: string
}

function parseFile(path: string): ProofFile {
  const wrong = new TourBroken(`${path} is no proof: it should be what the proof of an audit record answers with`)
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new TourBroken(`${path} cannot be read as JSON`, { cause })
  }
  if (typeof file !== 'object' || file === null || !('type' in file) || file.type !== 'keyward-audit-proof') throw wrong
  if (!('entry' in file) || !('proof' in file) || !('verifier' in file)) throw wrong
  const { entry, proof, verifier } = file
  if (typeof entry !== 'string' || typeof proof !== 'string' || typeof verifier !== 'string') throw wrong
  return { entry, proof, verifier }
}
