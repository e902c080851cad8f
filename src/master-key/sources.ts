// From what the settings name to a source that can be asked.

import { join } from 'node:path'
import { unreachable } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { keyFile, keyFromText } from './key-file.ts'
import type { MasterKeyProvider } from './master-key.ts'
import { passphrase } from './passphrase.ts'
import type { PassphraseSource } from './passphrase.ts'
import { token } from './token.ts'
import type { TokenSource } from './token.ts'

export type SourceSettings =
  | { readonly from: 'file'; readonly path: string | null }
  | { readonly from: 'value'; readonly text: string; readonly variable: string }
  | { readonly from: 'passphrase'; readonly secret: PassphraseSource }
  | ({ readonly from: 'pkcs11' } & TokenSource)

export function providerOf(source: SourceSettings, dataFolder: string, random: Random): MasterKeyProvider {
  switch (source.from) {
    case 'file':
      return keyFile(source.path ?? join(dataFolder, 'master.key'), random)
    case 'value':
      return keyFromText(source.text, source.variable, random)
    case 'passphrase':
      return passphrase(source.secret, random)
    case 'pkcs11':
      return token(source, random)
    default:
      return unreachable(source)
  }
}
