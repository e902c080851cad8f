// The two curl commands of IBM's page "Cross-account encryption for Block Storage resources", with their placeholders
// replaced and the missing quote of the second one added; run by curl itself, as anybody would paste them.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { makeRootKey } from './harness/story.ts'

const policyCommand = `curl -X "POST" "https://iam.cloud.ibm.com/v1/policies" \\
     -H "Authorization: <Auth Token>" \\
     -H 'Content-Type: application/json' \\
     -d '{
        "roles": [{"role_id": "crn:v1:bluemix:public:iam::::role:AuthorizationDelegator"},{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}],
        "resources": [{"attributes": [
                {"name": "Account-A","operator": "stringEquals","value": "<CRK-Account-A-ID>"},
                {"name": "Key-Protect","operator": "stringEquals","value": "kms"}]}],
        "type": "authorization",
        "description": "Reader and Delegator role for KeyProtect Service instance",
        "subjects": [{"attributes": [
                {"name": "Key-Protect","value": "server-protect"},
                {"name": "Account-B","value": "<Account-B-ID>"}]}]
     }'`

const volumeCommand = `curl -X POST \\
"$vpc_api_endpoint/v1/volumes?version=2022-08-08&generation=2" \\
-H "Authorization: $iam_token" \\
-d '{
      "name": "my-volume-1",
      "iops": 100,
      "capacity": 20,
      "zone": {
        "name": "us-south-3"
      },
      "profile": {
        "name": "general-purpose"
      },
      "encryption_key": {
          "crn":"crn:bluemix:public:kms:us-south:a/a1234567:key:0cb88b98-9261-4d07-8329-8f594b6641b5"
      },
      "resource_group": {
        "id": "a342dbfb-3ea7-48d1-96e8-2825ec5feab4"
      }
    }'`

/** Runs the command in a shell and gives the status and the body. */
function paste(command: string, variables: Record<string, string> = {}) {
  const script = command.replace('curl ', 'curl -sS -w "\\n%{http_code}" ')
  const output = execFileSync('sh', ['-c', script], { encoding: 'utf8', env: { ...process.env, ...variables } })
  const [, body = '', status = ''] = /^([\s\S]*)\n(\d{3})$/.exec(output) ?? []
  return { status: Number(status), body: JSON.parse(body) }
}

const pastePolicy = ({ baseUrl, a, b }: Server, token: string) =>
  paste(
    policyCommand
      .replace('https://iam.cloud.ibm.com', baseUrl)
      .replace('<Auth Token>', token)
      .replace('<CRK-Account-A-ID>', a.account.id)
      .replace('<Account-B-ID>', b.account.id),
  )

function pasteVolume({ baseUrl, a, b }: Server, token: string, keyId: string) {
  const command = volumeCommand
    .replace('a1234567', a.account.id)
    .replace('0cb88b98-9261-4d07-8329-8f594b6641b5', keyId)
    .replace('a342dbfb-3ea7-48d1-96e8-2825ec5feab4', b.account.resourceGroupId)
  return paste(command, { vpc_api_endpoint: baseUrl, iam_token: token })
}

const start = (t: TestContext) => startServer(t, tempFolder(t))

test('the documented commands work as printed', async (t) => {
  const server = await start(t)
  const { a, b } = server
  const key = await makeRootKey(a)

  const refused = pasteVolume(server, await b.token(), key.id)
  assert.equal(refused.status, 400)
  assert.equal(refused.body.errors[0].code, 'volume_encryption_key_not_authorized')

  const policy = pastePolicy(server, await a.token())
  assert.equal(policy.status, 201, JSON.stringify(policy.body))
  assert.deepEqual(policy.body.resources[0].attributes[0], {
    name: 'Account-A',
    operator: 'stringEquals',
    value: a.account.id,
  })

  const volume = pasteVolume(server, await b.token(), key.id)
  assert.equal(volume.status, 201, JSON.stringify(volume.body))
  assert.equal(volume.body.name, 'my-volume-1')
  assert.equal(volume.body.encryption_key.crn, key.crn)
  assert.equal(volume.body.iops, 3000)
  assert.equal(volume.body.resource_group.id, b.account.resourceGroupId)
})

test('the token may come with or without the word Bearer', async (t) => {
  const server = await start(t)
  const key = await makeRootKey(server.a)
  assert.equal(pastePolicy(server, `Bearer ${await server.a.token()}`).status, 201)
  assert.equal(pasteVolume(server, `Bearer ${await server.b.token()}`, key.id).status, 201)
})

test("posted by B, the authorization over A's keys is refused, and the refusal says that A must act", async (t) => {
  const server = await start(t)
  const { status, body } = pastePolicy(server, await server.b.token())
  assert.equal(status, 403)
  assert.ok(body.errors[0].message.includes(server.a.account.id), body.errors[0].message)
  const key = await makeRootKey(server.a)
  assert.equal(pasteVolume(server, await server.b.token(), key.id).status, 400)
})

test('an attribute name that is neither real nor documented is refused with the right ones', async (t) => {
  const server = await start(t)
  const command = policyCommand
    .replace('https://iam.cloud.ibm.com', server.baseUrl)
    .replace('<Auth Token>', await server.a.token())
    .replace('"Account-A"', '"Account-Z"')
  const { status, body } = paste(command)
  assert.equal(status, 400)
  assert.match(body.errors[0].message, /Account-Z.*accountId.*serviceName/)
})
