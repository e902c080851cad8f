// What a first run leaves for scripts: <data>/bootstrap.json.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TourBroken } from './teller.ts'

export interface Account {
  readonly name: string
  readonly id: string
  readonly apiKey: string
  readonly resourceGroupId: string
  readonly kmsInstanceId: string
}

export interface Bootstrap {
  readonly keyOwner: Account
  readonly volumeOwner: Account
  readonly endpoints: {
    readonly iam: string
    readonly kms: string
    readonly vpc: string
    readonly resourceController: string
  }
}

export function readBootstrap(folder: string): Bootstrap {
  const path = join(folder, 'bootstrap.json')
  try {
    const { accounts, endpoints } = JSON.parse(readFileSync(path, 'utf8'))
    const [keyOwner, volumeOwner] = accounts
    return { keyOwner, volumeOwner, endpoints }
  } catch (cause) {
    throw new TourBroken(
      `${path} cannot be read: is the server started here (npm start), or should --data name its folder?`,
      { cause },
    )
  }
}
