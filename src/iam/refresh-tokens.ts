// Refresh tokens: opaque, for a client that has a name, and for as long as the account says. One may be shown as often as
// it is needed until it ends (Terraform shows one on every run); it ends early with its API key. A delegated one is made to
// be handed to other clients, which act later for whoever made it.

import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { delegatedRefreshTokenMs, refreshTokensPerApiKeyMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import type { Bearer, Bearers } from './bearers.ts'
import { parseSettings, refreshTokenSeconds } from './settings.ts'
import { insertRefreshToken, readRefreshToken } from './tables-refresh-tokens.ts'

export interface RefreshTokens {
  /** For the client that asks; null for a bearer without an API key, whose end could not end it. */
  make(bearer: Bearer, clientId: string): Promise<string | null>
  makeDelegated(bearer: Bearer, clients: Delegation): Promise<string>
  /** Fault 'unauthenticated' in one sentence for every way of not being good. */
  open(token: string, shown: { readonly clientId: string | null; readonly delegated: boolean }): Promise<Bearer>
}

export interface Delegation {
  readonly clientIds: readonly string[]
  /** At most six days; that also where nothing is said. */
  readonly seconds: number | undefined
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly bearers: Bearers
}

/** 256 bits of chance: as for API keys, a plain hash keeps them. */
const tokenBytes = 32

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

export function makeRefreshTokens({ database, clock, random, bearers }: Parts): RefreshTokens {
  async function keep(made: {
    readonly apiKeyId: string
    readonly clientIds: readonly string[]
    readonly delegated: 0 | 1
    readonly lifetimeMs: number
  }): Promise<string> {
    const token = Buffer.from(random.bytes(tokenBytes)).toString('base64url')
    const now = clock.now()
    const row = {
      hash: hashOf(token),
      api_key_id: made.apiKeyId,
      client_ids: JSON.stringify(made.clientIds),
      delegated: made.delegated,
      created_at: now,
      expires_at: now + made.lifetimeMs,
    }
    await database.transaction((tx) => insertRefreshToken(tx, row, refreshTokensPerApiKeyMax))
    return token
  }

  return {
    async make({ apiKeyId, settings }, clientId) {
      if (apiKeyId === null) return null
      const lifetimeMs = refreshTokenSeconds(parseSettings(settings)) * 1000
      return await keep({ apiKeyId, clientIds: [clientId], delegated: 0, lifetimeMs })
    },

    async makeDelegated({ apiKeyId }, { clientIds, seconds }) {
      if (apiKeyId === null) throw new Fault('invalid', 'only what came from an API key can be delegated')
      const lifetimeMs = Math.min(
        seconds === undefined ? delegatedRefreshTokenMs : seconds * 1000,
        delegatedRefreshTokenMs,
      )
      return await keep({ apiKeyId, clientIds, delegated: 1, lifetimeMs })
    },

    async open(token, { clientId, delegated }) {
      const row = await readRefreshToken(database.reads, hashOf(token))
      const isGood = row && clock.now() < row.expires_at && (row.delegated === 1) === delegated
      const clientIds = row ? (JSON.parse(row.client_ids) as readonly string[]) : [] // keep() wrote it
      const bearer = isGood && clientIds.includes(clientId ?? '') ? await bearers.byApiKeyId(row.api_key_id) : null
      if (bearer) return bearer
      throw new Fault('unauthenticated', 'the refresh token is unknown, has ended, or was given to another client')
    },
  }
}
