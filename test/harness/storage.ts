// Object storage as clients see it: a service instance with credentials, and both vendors' SDKs pointed at it.

import { spawnSync } from 'node:child_process'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import ibm from 'ibm-cos-sdk'
import type { Api, Json } from './api.ts'
import type { Server } from './server.ts'

const cosStandard = '744bfc56-d12c-4866-88d5-dac9139e0e5d'

export interface Storage {
  readonly instance: Json
  /** The reply of the service credential. */
  readonly key: Json
  readonly s3: S3Client
}

/** A service instance of the account's, with a credential that may do everything in it. */
export async function makeStorage(server: Server, owner: Api, role = 'Manager'): Promise<Storage> {
  const instance = await owner.expect(201, 'POST', '/v2/resource_instances', {
    body: {
      name: 'storage',
      target: 'global',
      resource_group: owner.account.resourceGroupId,
      resource_plan_id: cosStandard,
    },
  })
  const key = await makeKey(owner, instance.id, role)
  return { instance, key, s3: s3For(server, key) }
}

export const makeKey = (owner: Api, source: string, role?: string): Promise<Json> =>
  owner.expect(201, 'POST', '/v2/resource_keys', {
    body: { name: 'storage key', source, parameters: { HMAC: true }, ...(role !== undefined && { role }) },
  })

export function s3For(server: Server, key: Json, more: Partial<S3ClientConfig> = {}): S3Client {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = key.credentials.cos_hmac_keys
  return new S3Client({
    endpoint: server.bootstrap.endpoints.cos,
    region: 'us-south',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    ...more,
  })
}

/** IBM's SDK, which logs in by API key and carries tokens. */
export const ibmFor = (server: Server, apiKeyId: string, serviceInstanceId: string): ibm.S3 =>
  new ibm.S3({
    endpoint: server.bootstrap.endpoints.cos,
    ibmAuthEndpoint: `${server.bootstrap.endpoints.iam}/identity/token`,
    apiKeyId,
    serviceInstanceId,
    s3ForcePathStyle: true,
    sslEnabled: false,
    maxRetries: 0,
  } as ibm.S3.ClientConfiguration)

/** The same SDK, signing. */
export const ibmWithHmac = (server: Server, key: Json): ibm.S3 =>
  new ibm.S3({
    endpoint: server.bootstrap.endpoints.cos,
    accessKeyId: key.credentials.cos_hmac_keys.access_key_id,
    secretAccessKey: key.credentials.cos_hmac_keys.secret_access_key,
    region: 'us-south',
    signatureVersion: 'v4',
    s3ForcePathStyle: true,
    sslEnabled: false,
    maxRetries: 0,
  })

/** What `curl` prints for one request: the status of the last answer, its headers and its body, as Latin-1. */
export function curl(url: string, ...args: readonly string[]): { status: number; body: string; headers: string } {
  const fixed = ['--silent', '--show-error', '--path-as-is', '--dump-header', '-']
  const { stdout, error } = spawnSync('curl', [...fixed, ...args, url], {
    encoding: 'latin1',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error) throw error
  let [headers, body] = ['', stdout]
  // There may be a `100 Continue` before.
  while (/^HTTP\/1\.1 \d/.test(body)) {
    const end = body.indexOf('\r\n\r\n') + 4
    headers = body.slice(0, end)
    body = body.slice(end)
  }
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(headers)?.[1]), body, headers }
}
