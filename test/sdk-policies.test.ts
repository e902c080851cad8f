// The official SDK for policies, roles and access groups, unchanged but for its URL: the calls that its own integration
// tests make, in their order, with what they expect of the answers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import AccessGroups from '@ibm-cloud/platform-services/iam-access-groups/v2.js'
import PolicyManagement from '@ibm-cloud/platform-services/iam-policy-management/v1.js'
import { IamAuthenticator } from 'ibm-cloud-sdk-core'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'

const viewer = 'crn:v1:bluemix:public:iam::::role:Viewer'
const editor = 'crn:v1:bluemix:public:iam::::role:Editor'
const someone = 'IBMid-SDKNODE12345'

function clients({ a, bootstrap }: Server) {
  const authenticator = new IamAuthenticator({ apikey: a.account.apiKey, url: bootstrap.endpoints.iam })
  const options = { authenticator, serviceUrl: bootstrap.endpoints.iam }
  return { policies: new PolicyManagement(options), groups: new AccessGroups(options) }
}

const etagOf = ({ headers }: { readonly headers: unknown }): string => (headers as Record<string, string>)['etag'] ?? ''

test('platform-services: version 1 of access policies, from creation to clean-up', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { policies } = clients(server)
  const accountId = server.a.account.id
  const subjects = [{ attributes: [{ name: 'iam_id', value: someone }] }]
  const resources = [
    {
      attributes: [
        { name: 'accountId', value: accountId, operator: 'stringEquals' },
        { name: 'serviceType', value: 'service', operator: 'stringEquals' },
      ],
      tags: [{ name: 'project', operator: 'stringEquals', value: 'prototype' }],
    },
  ]
  const created = await policies.createPolicy({ type: 'access', subjects, roles: [{ role_id: viewer }], resources })
  assert.equal(created.status, 201)
  assert.deepEqual(
    [created.result.type, created.result.subjects, created.result.roles[0]?.role_id, created.result.resources],
    ['access', subjects, viewer, resources],
  )
  const policyId = created.result.id ?? ''

  const read = await policies.getPolicy({ policyId })
  assert.deepEqual([read.status, read.result.subjects, read.result.resources], [200, subjects, resources])

  const change = { policyId, type: 'access', subjects, roles: [{ role_id: editor }], resources }
  await assert.rejects(policies.replacePolicy({ ...change, ifMatch: '1-0' }), { status: 409 })
  const replaced = await policies.replacePolicy({ ...change, ifMatch: etagOf(read) })
  assert.deepEqual([replaced.status, replaced.result.id, replaced.result.roles[0]?.role_id], [200, policyId, editor])

  const patched = await policies.updatePolicyState({ policyId, ifMatch: etagOf(replaced), state: 'active' })
  assert.deepEqual([patched.status, patched.result.state, patched.result.resources], [200, 'active', resources])

  const listed = await policies.listPolicies({ accountId, iamId: someone })
  assert.deepEqual(
    listed.result.policies.map((policy) => policy.id),
    [policyId],
  )
  assert.equal((await policies.deletePolicy({ policyId })).status, 204)

  const gone = await policies.getPolicy({ policyId })
  assert.equal(gone.result.state, 'deleted')
  const back = await policies.updatePolicyState({ policyId, ifMatch: etagOf(gone), state: 'active' })
  assert.equal(back.result.state, 'active')
})

test('platform-services: version 2 of access policies, with a rule', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { policies } = clients(server)
  const accountId = server.a.account.id
  const subject = { attributes: [{ key: 'iam_id', operator: 'stringEquals', value: someone }] }
  const resource = {
    attributes: [
      { key: 'accountId', value: accountId, operator: 'stringEquals' },
      { key: 'serviceType', operator: 'stringEquals', value: 'service' },
    ],
  }
  const control = { grant: { roles: [{ role_id: viewer }] } }
  const rule = {
    operator: 'and',
    conditions: [
      {
        key: '{{environment.attributes.day_of_week}}',
        operator: 'dayOfWeekAnyOf',
        value: ['1+00:00', '2+00:00', '3+00:00', '4+00:00', '5+00:00'],
      },
      {
        key: '{{environment.attributes.current_time}}',
        operator: 'timeGreaterThanOrEquals',
        value: '09:00:00+00:00',
      },
      {
        key: '{{environment.attributes.current_time}}',
        operator: 'timeLessThanOrEquals',
        value: '17:00:00+00:00',
      },
    ],
  }
  const pattern = 'time-based-conditions:weekly:custom-hours'
  const body = { type: 'access', subject, control, resource, rule, pattern }

  const created = await policies.createV2Policy(body)
  assert.equal(created.status, 201)
  const { result } = created
  assert.deepEqual(
    [result.type, result.subject, result.control, result.resource, result.rule, result.pattern],
    ['access', subject, control, resource, rule, pattern],
  )
  const id = result.id ?? ''
  const read = await policies.getV2Policy({ id })
  assert.deepEqual([read.result.subject, read.result.control, read.result.resource], [subject, control, resource])
  assert.equal(read.result.state, 'active')

  const displayed: Json = (await policies.getV2Policy({ id, format: 'display' })).result
  const [role] = displayed.control.grant.roles
  assert.deepEqual([role.role_id, role.display_name], [viewer, 'Viewer'])
  assert.ok(role.actions.length > 0 && role.actions.every((action: Json) => action.id && action.display_name))

  const updated = { grant: { roles: [{ role_id: editor }] } }
  const replaced = await policies.replaceV2Policy({ ...body, id, ifMatch: etagOf(read), control: updated })
  assert.deepEqual([replaced.status, replaced.result.control], [200, updated])

  const listed = await policies.listV2Policies({ accountId, iamId: someone })
  assert.deepEqual(
    listed.result.policies.map((policy) => policy.id),
    [id],
  )
  // Version 1 has no words for it and says that it is there.
  const old = await policies.getPolicy({ policyId: id })
  assert.equal(old.result.roles[0]?.display_name, 'UnsupportedVersion')
  await assert.rejects(
    policies.replacePolicy({
      policyId: id,
      ifMatch: etagOf(old),
      type: 'access',
      subjects: [{ attributes: [{ name: 'iam_id', value: someone }] }],
      roles: [{ role_id: viewer }],
      resources: [
        {
          attributes: [
            { name: 'accountId', value: accountId },
            { name: 'serviceType', value: 'service' },
          ],
        },
      ],
    }),
    { status: 400 },
  )
  assert.equal((await policies.deleteV2Policy({ id })).status, 204)
})

test('platform-services: custom roles, and the roles there are', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { policies } = clients(server)
  const accountId = server.a.account.id
  const wanted = {
    displayName: 'SDK TestNodeRole1',
    description: 'SDK TestNodeRole1',
    name: 'TestNodeRole1',
    accountId,
    serviceName: 'iam-groups',
    actions: ['iam-groups.groups.read'],
  }
  const created = await policies.createRole(wanted)
  assert.equal(created.status, 201)
  const seen = ({ result }: { result: Json }) => [
    result.name,
    result.display_name,
    result.description,
    result.account_id,
    result.service_name,
    result.actions,
  ]
  const expected = [wanted.name, wanted.displayName, wanted.description, accountId, 'iam-groups', wanted.actions]
  assert.deepEqual(seen(created), expected)
  const roleId = created.result.id ?? ''
  const read = await policies.getRole({ roleId })
  assert.deepEqual(seen(read), expected)
  await assert.rejects(policies.createRole({ ...wanted, name: 'Other' }), { status: 409 })

  const replaced = await policies.replaceRole({
    roleId,
    ifMatch: etagOf(read),
    description: 'Updated description',
    displayName: wanted.displayName,
    actions: wanted.actions,
    headers: { 'transaction-Id': 'SDKNode-1' },
  })
  assert.equal((replaced.headers as Record<string, string>)['transaction-id'], 'SDKNode-1')
  assert.equal(replaced.result.description, 'Updated description')

  const listed = await policies.listRoles({ accountId, serviceName: 'iam-groups' })
  assert.deepEqual(
    listed.result.custom_roles.map((role) => role.id),
    [roleId],
  )
  assert.equal((await policies.deleteRole({ roleId })).status, 204)
  await assert.rejects(policies.getRole({ roleId }), { status: 404 })

  const { result } = await policies.listRoles({ accountId, serviceGroupId: 'IAM' })
  const crns = (roles: readonly { crn?: string }[]) => roles.map(({ crn }) => crn)
  assert.ok(crns(result.service_roles).includes('crn:v1:bluemix:public:iam-identity::::serviceRole:ServiceIdCreator'))
  assert.ok(crns(result.system_roles).includes(viewer))
})

test('platform-services: who from other accounts may act here', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { policies } = clients(server)
  const accountId = server.a.account.id
  const read = await policies.getSettings({ accountId, acceptLanguage: 'default' })
  const types = read.result.external_account_identity_interaction.identity_types
  assert.deepEqual([types.user.state, types.service_id.state, types.service.state], ['enabled', 'enabled', 'enabled'])
  const watched = { state: 'monitor', external_allowed_accounts: [] }
  const updated = await policies.updateSettings({
    accountId,
    ifMatch: etagOf(read),
    externalAccountIdentityInteraction: { identity_types: { user: watched, service_id: watched, service: watched } },
  })
  assert.equal(updated.status, 200)
  assert.equal(updated.result.external_account_identity_interaction.identity_types.service.state, 'monitor')
  const stale = policies.updateSettings({ accountId, ifMatch: etagOf(read), externalAccountIdentityInteraction: {} })
  await assert.rejects(stale, { status: 409 })
})

test('platform-services: an access group and its members', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { groups } = clients(server)
  const accountId = server.a.account.id
  const iamId = 'IBMid-54321'
  const created = await groups.createAccessGroup({ accountId, name: 'SDK Test Group - Node' })
  assert.deepEqual(
    [created.status, created.result.account_id, created.result.name],
    [201, accountId, 'SDK Test Group - Node'],
  )
  const accessGroupId = created.result.id ?? ''
  const read = await groups.getAccessGroup({ accessGroupId })
  assert.equal(read.result.description, '')
  const described = await groups.updateAccessGroup({ accessGroupId, ifMatch: etagOf(read), description: 'For tests' })
  assert.deepEqual([described.result.name, described.result.description], ['SDK Test Group - Node', 'For tests'])

  for (const name of ['second', 'third']) await groups.createAccessGroup({ accountId, name })
  const listed = await groups.listAccessGroups({ accountId, hidePublicAccess: true })
  assert.ok(listed.result.groups?.some((group) => group.id === accessGroupId))
  const pager = new AccessGroups.AccessGroupsPager(groups, { accountId, hidePublicAccess: true, limit: 2 })
  assert.equal((await pager.getAll()).length, 3)

  const added = await groups.addMembersToAccessGroup({ accessGroupId, members: [{ iam_id: iamId, type: 'user' }] })
  assert.equal(added.status, 207)
  assert.deepEqual(
    added.result.members?.map((member) => [member.iam_id, member.type, member.status_code]),
    [[iamId, 'user', 200]],
  )
  const several = await groups.addMemberToMultipleAccessGroups({
    accountId,
    iamId,
    type: 'user',
    groups: [accessGroupId],
  })
  assert.deepEqual(
    [several.status, several.result.groups?.map((group) => [group.access_group_id, group.status_code])],
    [207, [[accessGroupId, 200]]],
  )
  assert.equal((await groups.isMemberOfAccessGroup({ accessGroupId, iamId })).status, 204)
  await assert.rejects(groups.isMemberOfAccessGroup({ accessGroupId, iamId: 'IBMid-NOBODY' }), { status: 404 })
  const members = await groups.listAccessGroupMembers({ accessGroupId })
  assert.deepEqual(
    members.result.members?.map((member) => member.iam_id),
    [iamId],
  )
  await assert.rejects(groups.deleteAccessGroup({ accessGroupId }), { status: 409 })
  assert.equal((await groups.removeMemberFromAccessGroup({ accessGroupId, iamId })).status, 204)
  await assert.rejects(groups.removeMemberFromAllAccessGroups({ accountId, iamId }), (error: Json) => {
    return error.status === 404 && error.message.includes(iamId)
  })
  await assert.rejects(groups.removeMembersFromAccessGroup({ accessGroupId, members: [iamId] }), (error: Json) => {
    return error.status === 404 && error.message.includes(accessGroupId)
  })
  assert.equal((await groups.deleteAccessGroup({ accessGroupId })).status, 204)
})

test("Terraform's calls for an authorization policy, in their order", async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const rolesUrl = '/v2/roles?service_name=kms&source_service_name=server-protect&policy_type=authorization'
  const all = (roles: Json): Json[] => [...roles.system_roles, ...roles.service_roles, ...roles.custom_roles]
  const before = all(await a.expect(200, 'GET', rolesUrl))
  const crnOf = (name: string) => before.find((role) => role.display_name === name)?.crn
  assert.ok(before.every((role) => role.crn && role.display_name))
  assert.equal(crnOf('AuthorizationDelegator'), crnOf('Authorization Delegator'))

  const at = (key: string, value: string) => ({ key, operator: 'stringEquals', value })
  const subject = { attributes: [at('serviceName', 'server-protect'), at('accountId', b.account.id)] }
  const resource = {
    attributes: [
      at('serviceName', 'kms'),
      at('accountId', a.account.id),
      at('serviceInstance', a.account.kmsInstanceId),
    ],
  }
  const roles = ['Reader', 'Authorization Delegator'].map((name) => ({ role_id: crnOf(name) }))
  const body = { type: 'authorization', description: 'by Terraform', subject, resource, control: { grant: { roles } } }
  const { id } = await a.expect(201, 'POST', '/v2/policies', { body, headers: { 'transaction-id': 'terraform-1' } })

  for (const _ of [1, 2]) {
    const read = await a.expect(200, 'GET', `/v2/policies/${id}`)
    assert.deepEqual([read.subject, read.resource, read.control], [subject, resource, { grant: { roles } }])
  }
  const after = all(await a.expect(200, 'GET', `${rolesUrl}&account_id=${a.account.id}`))
  const names = roles.map(({ role_id }) => after.find((role) => role.crn === role_id)?.display_name)
  assert.deepEqual(names, ['Reader', 'Authorization Delegator'])

  assert.equal((await a.expect(200, 'GET', `/v1/policies/${id}`)).state, 'active')
  const { headers } = await a.send('GET', `/v2/policies/${id}`)
  const changed = { ...body, description: 'changed', control: { grant: { roles: roles.slice(0, 1) } } }
  await a.expect(200, 'PUT', `/v2/policies/${id}`, {
    body: changed,
    headers: { 'if-match': headers.get('etag') ?? '' },
  })
  const [found] = (await a.expect(200, 'GET', `/v1/policies?account_id=${a.account.id}&type=authorization`)).policies
  assert.deepEqual([found.roles[0].display_name, found.subjects.length, found.resources.length], ['Reader', 1, 1])
  await a.expect(204, 'DELETE', `/v1/policies/${id}`)
  assert.equal((await a.expect(200, 'GET', `/v1/policies/${id}`)).state, 'deleted')

  // A policy of the form that the documented curl command sends has operators for Terraform.
  const { id: curled } = await a.expect(201, 'POST', '/v1/policies', {
    body: {
      type: 'authorization',
      subjects: [
        {
          attributes: [
            { name: 'serviceName', value: 'is' },
            { name: 'accountId', value: b.account.id },
          ],
        },
      ],
      roles: [{ role_id: crnOf('Reader') }],
      resources: [
        {
          attributes: [
            { name: 'accountId', value: a.account.id },
            { name: 'serviceName', value: 'kms' },
          ],
        },
      ],
    },
  })
  const shown = await a.expect(200, 'GET', `/v2/policies/${curled}`)
  for (const attribute of [...shown.subject.attributes, ...shown.resource.attributes]) {
    assert.equal(attribute.operator, 'stringEquals')
  }
  const every = all(await a.expect(200, 'GET', '/v2/roles?service_name=alliamserviceroles'))
  const levels = ['Viewer', 'Operator', 'Editor', 'Administrator', 'Reader', 'Writer', 'Manager']
  assert.deepEqual(
    every.map((role) => role.display_name),
    levels,
  )
})
