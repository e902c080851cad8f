// An account's signed audit log, read over HTTP and judged by somebody who has nothing but its answers.

import assert from 'node:assert/strict'
import { appendLeaves, rootHash } from '#crypto/merkle-tiles.ts'
import { hashLeaf } from '#crypto/merkle-tree.ts'
import { openNote, parseCheckpoint, parseVerifier } from '#crypto/signed-note.ts'
import type { Checkpoint } from '#crypto/signed-note.ts'
import type { Api, Json } from './api.ts'

export const placeOf = (api: Api): string => `/keyward/v1/accounts/${api.account.id}/audit_log`
export const logOf = (api: Api, path: string): Promise<Json> => api.expect(200, 'GET', `${placeOf(api)}${path}`)

/** The checkpoint that an answer carries, if its signature holds. */
export function opened({ checkpoint, verifier }: Json): Checkpoint {
  const key = parseVerifier(verifier)
  assert.ok(key, 'a verifier')
  const text = openNote(checkpoint, key)
  assert.ok(text !== null, 'a signature')
  const parsed = parseCheckpoint(text)
  assert.ok(parsed, 'a checkpoint')
  assert.equal(parsed.origin, key.name)
  return parsed
}

export async function entriesOf(api: Api, limit: number): Promise<string[]> {
  const all: string[] = []
  for (let start: number | undefined = 0; start !== undefined; ) {
    const page: Json = await logOf(api, `/entries?start=${start}&limit=${limit}`)
    all.push(...page.entries)
    start = page.next
  }
  return all
}

export function rootOf(entries: readonly string[]): Uint8Array {
  const leaves = entries.map((entry) => hashLeaf(Buffer.from(entry)))
  const tiles = new Map(appendLeaves(0, [], leaves).map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]))
  return rootHash(entries.length, ({ level, index }) => tiles.get(`${level}/${index}`) ?? new Uint8Array(0))
}
