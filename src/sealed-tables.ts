// Every column that holds a sealed record, of every service: what a rotation of the master key seals again, and what a
// backup is checked by. Services do not know of each other; this list knows of all.

import { hmacKeyRows } from '#cos/tables-hmac-keys.ts'
import { signingKeyRows } from '#iam/tables-signing-keys.ts'
import { importTokenRows } from '#kms/tables-instance.ts'
import { keyVersionRows } from '#kms/tables-version.ts'
import { resourceKeyRows } from '#resources/tables-keys.ts'
import { webhookSecretRows } from '#ledger/tables-webhook-secret.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import { accessSecretRows } from './access-secret.ts'
import { auditSigningKeyRows } from './audit-signer.ts'

export const sealedTables: readonly SealedRows[] = [
  keyVersionRows,
  importTokenRows,
  signingKeyRows,
  hmacKeyRows,
  resourceKeyRows,
  webhookSecretRows,
  accessSecretRows,
  auditSigningKeyRows,
]
