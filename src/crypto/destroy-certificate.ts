// What is left of a purged key: a statement of which key it was, by which rule and when it was purged, and of every wrapped
// data key that died with it (a Merkle root over them). Signed as a note, and named by its hash in the audit record of the
// purge. The texts are docs/formats.md, "Destroy certificate"; what checks them needs no server.

import { createHash } from 'node:crypto'
import { hashBytes, hashLeaf, verifyInclusion } from './merkle-tree.ts'
import { openNote, parseBase64, verifyProof } from './signed-note.ts'
import type { NoteVerifier } from './signed-note.ts'

/** Somebody asked for it; it was due; or the instance that held the key was deleted. */
export type PurgeRule = 'requested' | 'retention' | 'instance-deleted'

export interface DestroyStatement {
  readonly keyCrn: string
  /** Times are RFC 3339. */
  readonly deletedAt: string
  readonly purgedAt: string
  readonly rule: PurgeRule
  /** Of the text that says who did it: whoever is shown the statement does not learn that by it. */
  readonly personsHash: Uint8Array
  /** Oldest first. */
  readonly versions: readonly { readonly id: string; readonly createdAt: string }[]
  readonly dataKeyCount: number
  readonly dataKeyRoot: Uint8Array
}

const header = 'keyward destroy certificate v1'

export const formatStatement = (statement: DestroyStatement): string =>
  [
    header,
    `key ${statement.keyCrn}`,
    `deleted ${statement.deletedAt}`,
    `purged ${statement.purgedAt}`,
    `rule ${statement.rule}`,
    `persons ${base64(statement.personsHash)}`,
    ...statement.versions.map(({ id, createdAt }) => `version ${id} ${createdAt}`),
    `data-keys ${statement.dataKeyCount} ${base64(statement.dataKeyRoot)}`,
    '',
  ].join('\n')

/** Null for what is none. */
export function parseStatement(text: string): DestroyStatement | null {
  const [, keyCrn, deletedAt, purgedAt, rule, persons, versions, count, root] = shape.exec(text) ?? []
  const personsHash = parseBase64(persons ?? '')
  const dataKeyRoot = parseBase64(root ?? '')
  const isWhole = keyCrn !== undefined && deletedAt !== undefined && purgedAt !== undefined && versions !== undefined
  if (!isWhole || !isRule(rule) || personsHash?.length !== hashBytes || dataKeyRoot?.length !== hashBytes) return null
  const lines = versions.split('\n').slice(0, -1)
  return {
    keyCrn,
    deletedAt,
    purgedAt,
    rule,
    personsHash,
    versions: lines.map((line) => {
      const [, id = '', createdAt = ''] = line.split(' ')
      return { id, createdAt }
    }),
    dataKeyCount: Number(count),
    dataKeyRoot,
  }
}

const shape = new RegExp(
  `^${header}\nkey (\\S+)\ndeleted (\\S+)\npurged (\\S+)\nrule (\\S+)\npersons (\\S+)\n((?:version \\S+ \\S+\n)+)` +
    'data-keys (0|[1-9]\\d{0,14}) (\\S+)\n$',
)

const isRule = (rule: string | undefined): rule is PurgeRule =>
  rule === 'requested' || rule === 'retention' || rule === 'instance-deleted'

/** What the audit record of the purge says of its certificate. */
export const statementHash = (text: string): string => createHash('sha256').update(text).digest('hex')

export const hashOfText = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest())

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Under which name the installation signs statements about the keys of an account, given the name of one of its logs. */
export function statementSignerName(logName: string, accountId: string): string | null {
  const [, installation] = /^(keyward\/[0-9a-f]+)\/audit\/[^/]+$/.exec(logName) ?? []
  return installation === undefined ? null : `${installation}/destroyed/${accountId}`
}

interface Proved {
  /** The signed note. */
  readonly statement: string
  /** The record of the purge, and the proof that the log of the verifier holds it. */
  readonly entry: string
  readonly proof: string
}

/** The statement, and how many entries the log had; null where anything is not as it should be. */
export interface Certified {
  readonly statement: DestroyStatement
  readonly logSize: number
}

/** Of the owner of the key: with who did it. */
export function verifyCertificate(
  { persons, ...proved }: Proved & { readonly persons: string },
  log: NoteVerifier,
): Certified | null {
  const certified = verifyProved(proved, log)
  if (certified === null || accountOf(certified.statement.keyCrn) !== accountOfLog(log)) return null
  return isSame(hashOfText(persons), certified.statement.personsHash) ? certified : null
}

/** A wrapped data key in the tree of a statement. */
export interface ProvedDataKey {
  /** The text that is hashed. */
  readonly leaf: string
  readonly index: number
  readonly hashes: readonly Uint8Array[]
}

/** Of an account whose resource lay under the key: its own data keys and nobody else's. */
export function verifyPart(
  { dataKeys, ...proved }: Proved & { readonly dataKeys: readonly ProvedDataKey[] },
  log: NoteVerifier,
): Certified | null {
  const certified = verifyProved(proved, log)
  if (certified === null || dataKeys.length === 0) return null
  const { dataKeyCount: size, dataKeyRoot: root } = certified.statement
  const isProved = dataKeys.every(
    ({ leaf, index, hashes }) =>
      accountOf(String(memberOf(leaf, 'resource_crn'))) === accountOfLog(log) &&
      verifyInclusion({ leafHash: hashLeaf(Buffer.from(leaf)), index, size, proof: hashes, root }),
  )
  return isProved ? certified : null
}

/** The log holds the record, the record names the statement, and the installation of the log has signed that. */
function verifyProved({ statement: note, entry, proof }: Proved, log: NoteVerifier): Certified | null {
  const checkpoint = verifyProof(proof, hashLeaf(Buffer.from(entry)), log)
  const keyCrn = memberOf(memberOf(entry, 'target'), 'id')
  const name = typeof keyCrn === 'string' ? statementSignerName(log.name, accountOf(keyCrn)) : null
  const text = name === null ? null : openNote(note, { name, publicKey: log.publicKey })
  const statement = text === null ? null : parseStatement(text)
  if (!checkpoint || text === null || !statement || statement.keyCrn !== keyCrn) return null
  const named = memberOf(memberOf(entry, 'responseData'), 'destroyCertificate')
  return named === statementHash(text) ? { statement, logSize: checkpoint.size } : null
}

function memberOf(value: unknown, name: string): unknown {
  const whole = typeof value === 'string' ? parsedJson(value) : value
  return typeof whole === 'object' && whole !== null
    ? Object.entries(whole).find(([key]) => key === name)?.[1]
    : undefined
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Of a CRN, which names its account as `a/<id>`. */
const accountOf = (crn: string): string => /^crn:v1:[^:]*:[^:]*:[^:]*:[^:]*:a\/([^:]+):/.exec(crn)?.[1] ?? ''
const accountOfLog = ({ name }: NoteVerifier): string => name.split('/').at(-1) ?? ''
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
