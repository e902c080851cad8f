// Destroy certificates, for both sides: the owner of a purged key reads the whole statement and who did it, an account whose
// resource lay under it reads the statement and the proof of its own wrapped data keys. What was destroyed is told by the
// key manager, which wrote it down in the transaction of the purge; here it is signed and joined with the proof of its record.

import type { Static } from 'typebox'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { selectAudit } from '#events/tables-audit.ts'
import type { Context } from '#iam/port.ts'
import type { DestroyedKey } from '#kms/port.ts'
import { authorizeOwn } from './access.ts'
import type { OfAccount } from './access.ts'
import type { certificateContract } from './contract-certificates.ts'
import type { LedgerParts } from './parts.ts'

type Whole = Static<(typeof certificateContract)['getDestroyCertificate']['reply']>
type Part = Static<(typeof certificateContract)['getDestroyedDataKeys']['reply']>
type PartQuery = Static<(typeof certificateContract)['getDestroyedDataKeys']['query']>

export type Certificates = ReturnType<typeof makeCertificates>

export function makeCertificates({ database: { reads }, iam, kms, auditLog }: LedgerParts) {
  const permit = async (context: Context, query: OfAccount): Promise<string> =>
    (await authorizeOwn(iam, context, 'keyward.destroy-certificates.read', query)).target.accountId

  /** The record of the purge in the log of the account, with its proof. */
  async function recordOf(accountId: string, { keyCrn }: DestroyedKey, verb: string) {
    const action = `${parseCrn(keyCrn)?.serviceName ?? 'kms'}.${verb}`
    await auditLog.flush()
    const filter = { action, targetId: keyCrn, outcome: 'success' }
    const [record] = await selectAudit(reads, accountId, filter, { order: 'desc', after: null, limit: 1 })
    if (!record) throw new Fault('unavailable', 'the record of the purge is not in the audit trail')
    const { entry, proof, verifier } = await auditLog.prove(accountId, record.id)
    return { entry, proof, verifier }
  }

  return {
    async get(context: Context, id: string, query: OfAccount): Promise<Whole> {
      const accountId = await permit(context, query)
      const key = await kms.destroyedKey(accountId, keyIdIn(id))
      if (!key)
        throw new Fault('not_found', `account ${accountId} has no purged key ${JSON.stringify(id.slice(0, 200))}`)
      return {
        type: 'keyward-destroy-certificate',
        statement: auditLog.signStatement(key.accountId, key.statement),
        persons: key.persons,
        ...(await recordOf(accountId, key, 'secrets.purge')),
      }
    },

    async getPart(context: Context, query: PartQuery): Promise<Part> {
      const accountId = await permit(context, query)
      const { resource_crn: resourceCrn, key_crn: keyCrn } = query
      const keyId = keyCrn === undefined ? null : keyIdIn(keyCrn)
      const found = await kms.destroyedDataKeys({ accountId, resourceCrn, keyId })
      if (!found) throw new Fault('not_found', `no data key of such a resource of account ${accountId} died with a key`)
      const { key, dataKeys } = found
      return {
        type: 'keyward-destroy-certificate-part',
        statement: auditLog.signStatement(key.accountId, key.statement),
        data_keys: dataKeys.map(({ leaf, index, hashes }) => ({
          leaf,
          index,
          hashes: hashes.map((hash) => Buffer.from(hash).toString('base64')),
        })),
        ...(await recordOf(accountId, key, 'data-keys.destroy')),
      }
    },
  }
}

/** An id, or the CRN that names it. An alias went with the key. */
const keyIdIn = (text: string): string => (parseCrn(text)?.resource ?? text).toLowerCase()
