// Who of other accounts may use the keys of this one.

import { blockStorage, isAccountId, letUse, reachOf, serviceNames, sourceOf } from '#client/authorization.ts'
import type { Policy } from '#client/authorization.ts'
import { inInstance, isRoot } from '#client/key-manager.ts'
import { parseCrn } from '#base/crn.ts'
import { command, flag, keyManagerOption, yes } from './command.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'
import { findKey, findKeyManager } from './find-key.ts'
import type { FoundKey } from './find-key.ts'
import { askFirst, foresee } from './foresee.ts'
import { allOffsets, allPages } from './pages.ts'
import type { Session } from './session.ts'
import { done, listed } from './shown.ts'

const shortService = (name: string): string => serviceNames[name] ?? name

const reachText = (policy: Policy): string => {
  const { keyId, keyRing, instanceId } = reachOf(policy)
  if (keyId) return keyId
  return keyRing ? `ring ${keyRing}` : instanceId ? 'all keys of its manager' : 'all keys'
}

const readAll = (session: Session) =>
  allPages(
    (start?: string) =>
      session.call('iam', 'listPolicies', {
        query: {
          account_id: session.accountId,
          type: 'authorization',
          limit: 100,
          ...(start !== undefined && { start }),
        },
      }),
    'policies',
  )

const list = command({
  name: 'authorizations list',
  summary: 'List whom this account lets use its keys',
  async run(cli) {
    const body = await readAll(await cli.session())
    const rows = body.policies
    return listed({
      body,
      rows,
      id: ({ id }) => id,
      none: 'Nobody is authorized. Let somebody use a key: keyward authorizations allow ACCOUNT KEY',
      columns: [
        { title: 'ACCOUNT', cell: (policy) => sourceOf(policy).accountId },
        { title: 'SERVICE', cell: (policy) => shortService(sourceOf(policy).serviceName), shrinks: true },
        { title: 'KEY', cell: reachText, shrinks: true },
        { title: 'ID', cell: ({ id }) => id },
      ],
    })
  },
})

const allow = command({
  name: 'authorizations allow',
  summary: "Let another account's block storage use a key: that key alone, to wrap and unwrap, and nothing else",
  args: [
    { name: 'account', help: "its id, or the name of one of your targets; your own account's too", kind: 'account' },
    { name: 'key', help: 'name, alias, id or CRN', kind: 'key', optional: true },
  ],
  options: {
    keyManager: keyManagerOption,
    allKeys: flag('all keys of the key manager, also future ones, instead of one'),
  },
  examples: [
    ['authorizations allow 5f0c...e1 payroll', 'One key, for one account'],
    ['authorizations allow 5f0c...e1 --all-keys --key-manager main', 'A whole key manager'],
  ],
  async run(cli, given) {
    const session = await cli.session()
    if ((given.key === undefined) === !given.allKeys) {
      throw new Failure('usage', 'say which key, or --all-keys, and not both')
    }
    const user = accountOf(cli, given.account)
    const found = given.key === undefined ? null : await findKey(session, given.key, given.keyManager)
    if (found && !isRoot(found.key)) {
      throw new Failure('usage', `${found.name} is a standard key: only root keys wrap others`)
    }
    const crn = found?.key.crn ?? (await findKeyManager(session, given.keyManager)).crn
    const { serviceName = 'kms', serviceInstance = '' } = parseCrn(crn) ?? {}
    const body = await session.call('iam', 'createPolicy', {
      body: letUse({
        owner: session.accountId,
        user,
        serviceName,
        instanceId: serviceInstance,
        keyId: found?.id ?? null,
      }),
    })
    const what = found ? found.name : 'every key of this key manager'
    const told = found ? `\nThey make a volume with: keyward volumes create NAME --capacity GB --key ${crn}` : ''
    return done(
      `Block storage of account ${user} may use ${what} now, by authorization ${body.id}.${told}`,
      body,
      body.id,
    )
  },
})

/** An id, or the name of a target: whoever has both accounts need not copy ids. */
function accountOf(cli: Cli, text: string): string {
  if (isAccountId(text)) return text
  if (cli.targets.names().includes(text)) return cli.targets.read(text).accountId
  throw new Failure('usage', `${JSON.stringify(text)} is no account: its id has 32 digits and letters from a to f`, {
    next: 'they see it with: keyward whoami',
  })
}

const revoke = command({
  name: 'authorizations revoke',
  summary: 'End an authorization: what lies under its keys in that account stops, at once',
  args: [{ name: 'id', help: 'of the authorization', kind: 'policy' }],
  options: { yes },
  async run(cli, given) {
    const session = await cli.session()
    const policy = await session.call('iam', 'getPolicy', { path: { id: given.id } })
    if (policy.type !== 'authorization') throw new Failure('usage', `${given.id} is an access policy`)
    const { accountId, serviceName } = sourceOf(policy)
    await askFirst(cli, {
      yes: given.yes,
      question: `Revoke what ${shortService(serviceName)} of account ${accountId} may?`,
      impact: async () => {
        const keys = await keysUnder(session, policy)
        return await Promise.all(
          keys.map((key) => foresee(session, key, { action: 'remove-authorization', policyId: policy.id, limit: 1 })),
        )
      },
    })
    await session.call('iam', 'deletePolicy', { path: { id: given.id } })
    const again = reachOf(policy).keyId
    const undo =
      again && serviceName === blockStorage ? ` Undo it: keyward authorizations allow ${accountId} ${again}` : ''
    return done(`Revoked ${given.id}.${undo}`, undefined, given.id)
  },
})

/** The keys that it covers and that somebody uses; impact is foreseen key by key. */
async function keysUnder(session: Session, policy: Policy): Promise<readonly FoundKey[]> {
  const { keyId, instanceId } = reachOf(policy)
  if (keyId) return [await findKey(session, keyId, instanceId)]
  if (!instanceId) return []
  const headers = inInstance(instanceId)
  const { resources } = await allOffsets(200, (page) =>
    session.call('kms', 'listInstanceRegistrations', { headers, query: page }),
  )
  const ids = new Set(resources.map((one) => one.keyId))
  return await Promise.all([...ids].map((id) => findKey(session, id, instanceId)))
}

export const authorizationCommands = [list, allow, revoke]
