import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { array, assert as holds, property, string } from 'fast-check'
import { hashLeaf, hashNode, emptyRoot } from '#crypto/merkle-tree.ts'
import { formatCheckpoint, formatVerifier, signNote, verifierOf } from '#crypto/signed-note.ts'
import { formatExport, parseExport, proveExport, rootOf } from './audit-export.ts'
import type { AuditExport } from './audit-export.ts'

/** RFC 6962 section 2.1, as it is written there. */
function recursiveRoot(entries: readonly string[]): Uint8Array {
  const [first, ...more] = entries
  if (first === undefined) return emptyRoot
  if (more.length === 0) return hashLeaf(Buffer.from(first))
  let split = 1
  while (split * 2 < entries.length) split *= 2
  return hashNode(recursiveRoot(entries.slice(0, split)), recursiveRoot(entries.slice(split)))
}

test('rootOf() is the root of RFC 6962', () => {
  holds(
    property(array(string(), { maxLength: 70 }), (entries) =>
      assert.deepEqual(rootOf(entries), recursiveRoot(entries)),
    ),
  )
})

const signer = { name: 'log.example/a', privateKey: generateKeyPairSync('ed25519').privateKey }
const verifier = formatVerifier(verifierOf(signer))

function exported(entries: readonly string[]): AuditExport {
  const note = formatCheckpoint({ origin: signer.name, size: entries.length, root: rootOf(entries) })
  const checkpoint = signNote(note, signer)
  return { head: { type: 'keyward-audit-export', version: 1, account_id: 'a', checkpoint, verifier }, entries }
}

test('an export is proved as it was taken, and not with any byte changed or cut', () => {
  const text = formatExport(exported(['{"id":"1"}', '{"id":"2","é":1}', '{"id":"3"}']))
  assert.equal(proveExport(parseExport(text, 'f'), 'f', verifier).size, 3)
  for (let at = 0; at < text.length; at += 1) {
    const changed = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`
    const isOutside = text.slice(0, at).endsWith('"account_id":"')
    if (isOutside) continue
    assert.throws(() => proveExport(parseExport(changed, 'f'), 'f', verifier), { name: 'Failure' }, `at ${at}`)
    assert.throws(() => proveExport(parseExport(text.slice(0, at), 'f'), 'f', verifier), { name: 'Failure' })
  }
  const other = formatVerifier(verifierOf({ ...signer, privateKey: generateKeyPairSync('ed25519').privateKey }))
  assert.throws(() => proveExport(parseExport(text, 'f'), 'f', other), /NOT proved: it is signed by/)
})
