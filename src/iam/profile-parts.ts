// Claim rules and links of a trusted profile. They are kept and shown, and nobody logs in by them: there is no federated
// login here and no compute resource that gives tokens.

import type { Clock } from '#base/clock.ts'
import { makeUuid } from '#base/id.ts'
import { profilePartsMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { changedMeanwhile, isFull, notFound } from './identity-access.ts'
import type { Context } from './port.ts'
import type { Profiles } from './profiles.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import { deletePart, insertPart, readParts, updatePart } from './tables-profiles.ts'
import type { PartKind, ProfilePartRow } from './tables-profiles.ts'

/** `Body` is the wire's: it is kept as it was sent. */
export interface Part<Body> {
  readonly id: string
  readonly revision: string
  readonly createdAt: number
  readonly modifiedAt: number
  readonly body: Body
}

export interface ProfileParts<Body> {
  create(context: Context, profileId: string, body: Body): Promise<Part<Body>>
  list(context: Context, profileId: string): Promise<readonly Part<Body>[]>
  get(context: Context, profileId: string, id: string): Promise<Part<Body>>
  update(context: Context, profileId: string, id: string, ifMatch: string | undefined, body: Body): Promise<Part<Body>>
  delete(context: Context, profileId: string, id: string): Promise<void>
  /** The one that looks like this. */
  deleteWhere(context: Context, profileId: string, matches: (body: Body) => boolean): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly profiles: Profiles
}

const words = {
  rule: { id: 'ClaimRule', name: 'claim rule', field: 'rules' },
  link: { id: 'Link', name: 'link', field: 'links' },
}

export function makeProfileParts<Body>(
  kind: PartKind,
  { database, clock, random, profiles }: Parts,
): ProfileParts<Body> {
  const { reads } = database
  const word = words[kind]

  async function list(context: Context, profileId: string): Promise<readonly Part<Body>[]> {
    const { row, grant } = await profiles.readable(context, profileId)
    return (await readParts(reads, grant, row.iam_id, kind)).map((part) => partOf<Body>(part))
  }

  async function get(context: Context, profileId: string, id: string): Promise<Part<Body>> {
    const found = (await list(context, profileId)).find((part) => part.id === id)
    if (!found) throw notFound(word.name, id)
    return found
  }

  async function remove(context: Context, profileId: string, id: string): Promise<void> {
    const profile = await profiles.changing(context, profileId)
    await database.transaction(async (tx) => {
      await deletePart(tx, profile.grant, id)
      await profiles.touch(tx, context, profile, [word.field])
    })
  }

  return {
    async create(context, profileId, body) {
      const profile = await profiles.changing(context, profileId)
      const now = clock.now()
      const row: ProfilePartRow = {
        id: `${word.id}-${makeUuid(random)}`,
        profile_iam_id: profile.row.iam_id,
        kind,
        document: JSON.stringify(body),
        created_at: now,
        modified_at: now,
        revision: firstRevision(random),
      }
      await database.transaction(async (tx) => {
        const { length } = await readParts(tx, profile.grant, profile.row.iam_id, kind)
        if (length >= profilePartsMax) throw isFull(`the profile has ${profilePartsMax} ${word.field}`)
        await insertPart(tx, profile.grant, row)
        await profiles.touch(tx, context, profile, [word.field])
      })
      return partOf<Body>(row)
    },

    list,
    get,

    async update(context, profileId, id, ifMatch, body) {
      const before = await get(context, profileId, id)
      checkRevision(ifMatch, before.revision)
      const profile = await profiles.changing(context, profileId)
      return await database.transaction(async (tx) => {
        const revision = nextRevision(before.revision, random)
        const set = { document: JSON.stringify(body), modified_at: clock.now(), revision }
        const changed = await updatePart(tx, profile.grant, before, set)
        if (!changed) throw changedMeanwhile()
        await profiles.touch(tx, context, profile, [word.field])
        return partOf<Body>(changed)
      })
    },

    async delete(context, profileId, id) {
      await get(context, profileId, id)
      await remove(context, profileId, id)
    },

    async deleteWhere(context, profileId, matches) {
      const found = (await list(context, profileId)).find((part) => matches(part.body))
      if (!found) throw notFound(word.name, 'with these parameters')
      await remove(context, profileId, found.id)
    },
  }
}

const partOf = <Body>(row: ProfilePartRow): Part<Body> => ({
  id: row.id,
  revision: row.revision,
  createdAt: row.created_at,
  modifiedAt: row.modified_at,
  body: JSON.parse(row.document) as Body, // a body of this kind was written
})
