// Vector: c2sp.org/signed-note, "Verifier keys", example.

import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { test } from 'node:test'
import { hashLeaf, hashNode } from './merkle-tree.ts'
import {
  formatCheckpoint,
  formatProof,
  formatVerifier,
  openNote,
  parseCheckpoint,
  parseProof,
  parseVerifier,
  signNote,
  verifierOf,
  verifyProof,
} from './signed-note.ts'

const published = {
  verifier: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  note: `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`,
}

/** RFC 8410 section 7: the private key of the RFC 8032 test 1. */
const privateKey = createPrivateKey({
  key: Buffer.from(
    '302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'hex',
  ),
  format: 'der',
  type: 'pkcs8',
})
const signer = { name: 'keyward.example/log', privateKey }
const verifier = verifierOf(signer)

function publishedVerifier() {
  const parsed = parseVerifier(published.verifier)
  assert.ok(parsed)
  return parsed
}

test('the published note opens with the published key', () => {
  assert.equal(formatVerifier(publishedVerifier()), published.verifier)
  assert.equal(openNote(published.note, publishedVerifier()), 'This is an example message.\n')
})

test('a note opens with the key that signed it, whatever others signed it too', () => {
  const text = 'one\n\ntwo\n'
  const note = signNote(text, signer)
  assert.equal(openNote(note, verifier), text)
  const theirs =
    '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM='
  assert.equal(openNote(`${note}${theirs}\n`, verifier), text)
  assert.equal(openNote(`${note}${theirs}\n`, publishedVerifier()), null, 'a known key that did not sign this')
  assert.equal(openNote(note, publishedVerifier()), null, 'no signature of a known key')
})

test('no character of a note can change', () => {
  const note = published.note
  for (let at = 0; at < note.length; at += 1) {
    for (const other of ['A', 'z', '\n', ' ']) {
      if (note[at] === other) continue
      assert.equal(openNote(note.slice(0, at) + other + note.slice(at + 1), publishedVerifier()), null, `at ${at}`)
    }
    assert.equal(openNote(note.slice(0, at), publishedVerifier()), null)
  }
})

test('what is no verifier is none', () => {
  const [name, id, key] = published.verifier.split('+')
  const wrong = [
    '',
    'x',
    `${name}+${id}`,
    `${name}+530d903b+${key}`,
    `other+${id}+${key}`,
    `${name}+${id}+${key}=`,
    `${name}+${id}+AAAA`,
  ]
  for (const text of wrong) assert.equal(parseVerifier(text), null, text)
})

test('a checkpoint survives its text, and what is none is refused', () => {
  const checkpoint = { origin: 'keyward.example/log', size: 20_852_163, root: hashLeaf(Buffer.from('x')) }
  const text = formatCheckpoint(checkpoint)
  assert.deepEqual(parseCheckpoint(text), checkpoint)
  const [origin, size, root] = text.split('\n')
  for (const wrong of [
    '',
    `\n${size}\n${root}\n`,
    `${origin}\n01\n${root}\n`,
    `${origin}\n-1\n${root}\n`,
    `${origin}\n1\nAAAA\n`,
  ])
    assert.equal(parseCheckpoint(wrong), null, wrong)
})

test('a proof shows its entry in the log, and nothing else', () => {
  const [left, right] = [hashLeaf(Buffer.from('left')), hashLeaf(Buffer.from('right'))]
  const root = hashNode(left, right)
  const checkpoint = signNote(formatCheckpoint({ origin: signer.name, size: 2, root }), signer)
  const proof = formatProof({ index: 1, hashes: [left], checkpoint })
  assert.deepEqual(parseProof(proof), { index: 1, hashes: [left], checkpoint })
  assert.deepEqual(verifyProof(proof, right, verifier), { origin: signer.name, size: 2, root })
  assert.deepEqual(verifyProof(proof.replace('index', 'extra AAAA\nindex'), right, verifier)?.size, 2)
  assert.equal(verifyProof(proof, left, verifier), null)
  assert.equal(verifyProof(proof.replace('index 1', 'index 0'), right, verifier), null)
  assert.equal(verifyProof(proof, right, { ...verifier, name: 'keyward.example/other' }), null)
  const elsewhere = signNote(formatCheckpoint({ origin: 'keyward.example/other', size: 2, root }), signer)
  assert.equal(verifyProof(formatProof({ index: 1, hashes: [left], checkpoint: elsewhere }), right, verifier), null)
  for (const wrong of ['', 'x\n\n', proof.replace('index 1', 'index 01'), proof.replace('@v1', '@v2')])
    assert.equal(verifyProof(wrong, right, verifier), null)
})
