// `account create NAME`: what whoever runs the server does so that somebody else can begin. A client of the operator's
// operations, with the operator token of the data folder.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bootstrap } from './bootstrap-file.ts'
import { TourBroken } from './teller.ts'

export interface MadeAccount {
  readonly id: string
  readonly name: string
  readonly owner_iam_id: string
  readonly apikey: string
  readonly resource_group_id: string
}

export async function createAccount(name: string, bootstrap: Bootstrap, folder: string): Promise<MadeAccount> {
  const response = await fetch(`${bootstrap.endpoints.iam}/keyward/v1/operator/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${readOperatorToken(folder)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  }).catch((cause: unknown) => {
    throw new TourBroken(`${bootstrap.endpoints.iam} does not answer: is the server started?`, { cause })
  })
  // The server checks it against the contract; an error body has a sentence instead.
  const answer = (await response.json()) as MadeAccount & { readonly errorMessage?: string }
  if (response.status !== 201) throw new TourBroken(answer.errorMessage ?? `the server answered ${response.status}`)
  return answer
}

/** For people; the API key stands alone on its line, to be taken from there. */
export const accountText = ({ id, name, apikey, resource_group_id }: MadeAccount): string =>
  [
    `Account ${JSON.stringify(name)} was made. Its owner's API key is shown this once.`,
    '',
    `  account         ${id}`,
    `  API key         ${apikey}`,
    `  resource group  ${resource_group_id}`,
    '',
  ].join('\n')

function readOperatorToken(folder: string): string {
  const path = join(folder, 'operator.token')
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new TourBroken(`${path} cannot be read: only whoever runs the server has it`, { cause })
  }
}
