// An audit log taken away whole: what signs it, and every entry as it is hashed, one a line. Proved without a server.
// docs/formats.md, "Audit export".

import { emptyRoot, hashLeaf, hashNode, isSame } from '#crypto/merkle-tree.ts'
import { openNote, parseCheckpoint, parseVerifier } from '#crypto/signed-note.ts'
import type { Checkpoint } from '#crypto/signed-note.ts'
import { Failure } from './failure.ts'

export interface ExportHead {
  readonly type: 'keyward-audit-export'
  readonly version: 1
  readonly account_id: string
  readonly checkpoint: string
  readonly verifier: string
}

export interface AuditExport {
  readonly head: ExportHead
  readonly entries: readonly string[]
}

export const formatExport = ({ head, entries }: AuditExport): string =>
  [JSON.stringify(head), ...entries].map((line) => `${line}\n`).join('')

export function parseExport(text: string, path: string): AuditExport {
  const wrong = new Failure('failed', `${path} is no audit export: \`keyward audit export\` writes them`)
  const lines = text.split('\n')
  // Each line has its end; what lacks one was cut.
  if (lines.pop() !== '') throw wrong
  const [first = '', ...entries] = lines
  let head: unknown
  try {
    head = JSON.parse(first)
  } catch {
    throw wrong
  }
  if (typeof head !== 'object' || head === null || !('type' in head) || !('version' in head)) throw wrong
  if (head.type !== 'keyward-audit-export' || head.version !== 1) throw wrong
  const fieldOf = (name: string): string => {
    const value: unknown = Reflect.get(head, name)
    if (typeof value !== 'string') throw wrong
    return value
  }
  return {
    head: {
      type: 'keyward-audit-export',
      version: 1,
      account_id: fieldOf('account_id'),
      checkpoint: fieldOf('checkpoint'),
      verifier: fieldOf('verifier'),
    },
    entries,
  }
}

/** The checkpoint under which these entries are the log; throws where they are not. */
export function proveExport({ head, entries }: AuditExport, path: string, trusted: string | undefined): Checkpoint {
  if (trusted !== undefined && trusted !== head.verifier) {
    throw new Failure(
      'failed',
      `${path}: NOT proved: it is signed by ${head.verifier}, and not by the key that you gave`,
    )
  }
  const verifier = parseVerifier(head.verifier)
  const note = verifier && openNote(head.checkpoint, verifier)
  const checkpoint = note === null ? null : parseCheckpoint(note)
  if (!verifier || !checkpoint || checkpoint.origin !== verifier.name) {
    throw new Failure('failed', `${path}: NOT proved: its checkpoint is not signed by the key that it names`)
  }
  if (checkpoint.size !== entries.length || !isSame(rootOf(entries), checkpoint.root)) {
    throw new Failure('failed', `${path}: NOT proved: these are not the ${checkpoint.size} entries that were signed`)
  }
  return checkpoint
}

/** RFC 6962 section 2.1: whole subtrees side by side, from the largest; joined from the right at the end. */
export function rootOf(entries: readonly string[]): Uint8Array {
  const subtrees: { readonly hash: Uint8Array; readonly leaves: number }[] = []
  for (const entry of entries) {
    let grown = { hash: hashLeaf(Buffer.from(entry)), leaves: 1 }
    for (let left = subtrees.at(-1); left?.leaves === grown.leaves; left = subtrees.at(-1)) {
      subtrees.pop()
      grown = { hash: hashNode(left.hash, grown.hash), leaves: left.leaves * 2 }
    }
    subtrees.push(grown)
  }
  const last = subtrees.pop()
  return last ? subtrees.reduceRight((right, left) => hashNode(left.hash, right), last.hash) : emptyRoot
}
