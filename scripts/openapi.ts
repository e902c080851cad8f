// Writes openapi/*.json from the contracts, so that a change of the wire is read in review. `npm run openapi`; a test
// compares what is committed with what the contracts say.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TSchema } from 'typebox'
import type { Contract, Operation } from '#base/contract.ts'
import { identityContract } from '#iam/contract-identity.ts'
import { operatorContract } from '#iam/contract-operator.ts'
import { tokenContract } from '#iam/contract-tokens.ts'
import { explainContract } from '#iam/contract-access.ts'
import { policyContract } from '#iam/contract.ts'
import { kmsContract, kmsOperatorContract, ownContract } from '#kms/contract.ts'
import { auditLogContract } from '#audit/contract-log.ts'
import { cosContract } from '#cos/contract.ts'
import { auditContract } from '#audit/contract.ts'
import { ledgerContract } from '#ledger/contract.ts'
import { resourcesContract } from '#resources/contract.ts'
import { reencryptionContract } from '#vpc/contract-reencryption.ts'
import { vpcContract, vpcOwnContract } from '#vpc/contract.ts'
import { clockContract } from '../src/clock-contract.ts'

const documents: Readonly<Record<string, { readonly title: string; readonly contract: Contract }>> = {
  iam: {
    title: 'Identity and access management',
    contract: { ...tokenContract, ...identityContract, ...policyContract },
  },
  resources: { title: 'Resource controller and resource manager', contract: resourcesContract },
  kms: { title: 'Key manager', contract: kmsContract },
  vpc: { title: 'Volumes and instances', contract: vpcContract },
  cos: { title: 'Object storage', contract: cosContract },
  transparency: { title: 'Who uses which key, for both sides', contract: ledgerContract },
  keyward: {
    title: "Keyward's own operations",
    contract: {
      ...vpcOwnContract,
      ...reencryptionContract,
      ...auditContract,
      ...auditLogContract,
      ...explainContract,
      ...ownContract,
      ...operatorContract,
      ...kmsOperatorContract,
      ...clockContract,
    },
  },
}

/** Every operation that the product answers, by name. */
export const operationNames = (): readonly string[] =>
  Object.values(documents)
    .flatMap(({ contract }) => Object.keys(contract))
    .toSorted()

/** File name to content, as committed. */
export const openapiFiles = (): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(documents).map(([name, { title, contract }]) => [
      `${name}.json`,
      `${JSON.stringify(document(title, contract), null, 2)}\n`,
    ]),
  )

export const openapiFolder = resolve(import.meta.dirname, '../openapi')

function document(title: string, contract: Contract) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [operationId, operation] of Object.entries(contract)) {
    const path = (paths[`${operation.path}${distinction(operation)}`] ??= {})
    path[operation.method.toLowerCase()] = describe(operationId, operation)
  }
  return {
    openapi: '3.1.0',
    info: { title: `Keyward: ${title}`, version: '1' },
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  }
}

/** Where several operations share a method and a path, what else tells them apart stands behind a `#`. */
const distinction = ({ when }: Operation): string =>
  when ? `#${[...(when.query ?? []), ...(when.header === undefined ? [] : [when.header])].join('&')}` : ''

function describe(operationId: string, operation: Operation) {
  const { body, status } = operation
  const type = mediaTypes[operation.bodyType ?? 'json']
  return {
    operationId,
    summary: operation.summary,
    ...(operation.action === null ? {} : { security: [{ bearer: [] }], 'x-iam-action': operation.action }),
    parameters: [...pathParameters(operation.path), ...queryParameters(operation.query)],
    ...(body && { requestBody: { required: operation.bodyOptional !== true, content: { [type]: { schema: body } } } }),
    ...(operation.bodyType === 'stream' && { requestBody: { required: true, content: { [type]: {} } } }),
    responses: {
      [status]: { description: 'Success', ...answer(operation) },
      default: { description: "A refusal, in the service's error body" },
    },
  }
}

const mediaTypes = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  xml: 'application/xml',
  text: 'text/plain',
  stream: 'application/octet-stream',
} as const

function answer({ reply, replyType = 'json' }: Operation) {
  if (reply && replyType !== 'event-stream') return { content: { [mediaTypes[replyType]]: { schema: reply } } }
  if (replyType === 'event-stream') return { content: { 'text/event-stream': { schema: { type: 'string' } } } }
  return replyType === 'stream' ? { content: { [mediaTypes.stream]: {} } } : {}
}

const pathParameters = (path: string) =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))

function queryParameters(schema: TSchema | undefined) {
  if (!schema || !('properties' in schema)) return []
  const required: unknown = 'required' in schema ? schema.required : []
  return Object.entries(schema.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: Array.isArray(required) && required.includes(name),
    schema,
  }))
}

if (import.meta.main) {
  for (const [file, content] of openapiFiles()) writeFileSync(join(openapiFolder, file), content)
}
