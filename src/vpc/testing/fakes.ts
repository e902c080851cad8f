// Honest stand-ins for the services beside this one: they keep state and refuse what the real ones refuse. Which call
// fails, and when, is the world's to say (faults.ts).

import { formatCrn, parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { DiskPort, VolumeSpec } from '#disk/port.ts'
import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import { makeGrant } from '#iam/port.ts'
import type { Caller, IamPort, ListingPort, Subject, Target } from '#iam/port.ts'
import type { KeyStanding, KmsPort, PendingNotice } from '#kms/port.ts'
import type { ResourcesPort } from '#resources/port.ts'
import type { VpcParts } from '../parts.ts'

export const accountA = 'a'.repeat(32)
export const accountB = 'b'.repeat(32)
export const accountC = 'c'.repeat(32)

export const callerOf = (accountId: string): Caller => ({
  iamId: `IBMid-${accountId.slice(0, 1)}`,
  accountId,
  kind: 'user',
  name: `${accountId.slice(0, 1)}@example.com`,
})

/** Everybody may do everything in his own account, but for what `denies` says. Tokens are account ids. */
export class FakeIam {
  denies: (subject: Subject, action: string, target: Target) => boolean = () => false
  /** What an account lets another do. */
  shares: (subject: Subject, action: string, target: Target) => boolean = () => false
  /** That there is no policy at all for a collection: of that, `denies` cannot tell. */
  hasNoPolicy = false

  private permits(subject: Subject, action: string, target: Target): boolean {
    const isOwn = subject.accountId === target.accountId
    return isOwn ? !this.denies(subject, action, target) : this.shares(subject, action, target)
  }

  readonly port: IamPort & ListingPort = {
    authenticate: async (token) => callerOf(token),
    authorize: async (subject, action, target) => {
      if (this.permits(subject, action, target)) return makeGrant(action, subject, target, 'policy')
      throw new Fault('forbidden', `${action} is not permitted`, {
        explanation: this.port.explain(subject, action, target),
      })
    },
    decide: async (subject, action, target) =>
      this.permits(subject, action, target) ? { permitted: true, policyId: 'policy' } : { permitted: false },
    explain: (_subject, action, target) => ({ action, subject: {}, resource: {}, account: target.accountId }),
    hasAccount: async () => true,
    isDisabled: async () => false,
    scope: async (subject, action, collection) =>
      this.hasNoPolicy || this.permits(subject, action, collection)
        ? { of: 'whole', grant: await this.port.authorize(subject, action, collection) }
        : { of: 'each' },
    grants: async (subject, action, targets) =>
      targets.map((one) => (this.permits(subject, action, one) ? makeGrant(action, subject, one, 'policy') : null)),
  }
}

interface FakeKey {
  standing: KeyStanding
  isRoot: boolean
}

/** Keys are there when they are put there; a key is open to an account when it is not in `unauthorized`. */
export class FakeKms {
  readonly keys = new Map<string, FakeKey>()
  /** By resource, the newest of them. */
  readonly registrations = new Map<string, string>()
  /** A resource may be registered under several keys: `<resource> <key>`. */
  readonly pairs = new Set<string>()
  readonly unauthorized = new Set<string>()
  /** The newest version of every key. */
  version = 'version'
  notices: PendingNotice[] = []
  readonly acknowledged: string[] = []
  private wraps = 0

  put(keyCrn: string, standing: KeyStanding = 'usable', isRoot = true): string {
    this.keys.set(keyCrn, { standing, isRoot })
    return keyCrn
  }

  private standingOf(keyCrn: string, accountId: string): KeyStanding {
    if (this.unauthorized.has(accountId)) return 'unauthorized'
    return this.keys.get(keyCrn)?.standing ?? 'deleted'
  }

  readonly port: KmsPort = {
    hsCryptoRefusal: null,
    createInstance: async () => {},
    deleteInstance: async () => {},
    createDataKey: async ({ keyCrn, resourceCrn, as }) => {
      if (this.unauthorized.has(as.accountId)) {
        const account = parseCrn(keyCrn)?.accountId ?? ''
        const explanation = { action: 'kms.secrets.wrap', subject: {}, resource: {}, account }
        throw new Fault('forbidden', 'not authorized', { explanation })
      }
      const key = this.keys.get(keyCrn)
      if (!key) throw new Fault('not_found', 'no such key', { reason: 'KEY_NOT_FOUND_ERR' })
      if (!key.isRoot) throw new Fault('invalid', 'a standard key', { reason: 'KEY_ROOT_REQ_ERR' })
      if (key.standing === 'deleted') throw new Fault('gone', 'deleted', { reason: 'KEY_DELETED_ERR' })
      if (key.standing !== 'usable') {
        throw new Fault('conflict', `the key is ${key.standing}`, { reason: 'KEY_ACTION_INVALID_STATE_ERR' })
      }
      this.registrations.set(resourceCrn, keyCrn)
      this.pairs.add(`${resourceCrn} ${keyCrn}`)
      return { keyCrn, keyVersionId: this.version, wrapped: new Uint8Array([++this.wraps]) }
    },
    createPassphrase: async ({ keyCrn, resourceCrn, as }) => {
      const standing = this.standingOf(keyCrn, as.accountId)
      if (standing !== 'usable' || this.registrations.get(resourceCrn) !== keyCrn) {
        throw new Fault('conflict', `the key is ${standing}`, { reason: 'KEY_ACTION_INVALID_STATE_ERR' })
      }
      return { keyCrn, keyVersionId: this.version, wrapped: new Uint8Array([++this.wraps]) }
    },
    resize: async () => {},
    noteSize: async () => {},
    providerKey: async ({ accountId }, location) => {
      const serviceInstance = providerInstanceId(accountId)
      const at = { location, accountId: providerAccountId, serviceInstance }
      const keyCrn = formatCrn({ serviceName: 'kms', ...at, resourceType: 'key', resource: serviceInstance })
      return this.keys.has(keyCrn) ? keyCrn : this.put(keyCrn)
    },
    leaseDataKey: async () => {
      throw new Fault('not_implemented', 'the control plane leases nothing')
    },
    renewLeases: async () => [],
    releaseLeases: async () => {},
    unregister: async ({ keyCrn, resourceCrn }) => {
      this.pairs.delete(`${resourceCrn} ${keyCrn}`)
      const left = [...this.pairs].find((pair) => pair.startsWith(`${resourceCrn} `))
      if (left === undefined) this.registrations.delete(resourceCrn)
      else this.registrations.set(resourceCrn, left.slice(resourceCrn.length + 1))
    },
    rewrapDataKeys: async ({ keyCrn, as, held }) => {
      if (this.standingOf(keyCrn, as.accountId) !== 'usable') {
        throw new Fault('conflict', 'the key is not usable', { reason: 'KEY_ACTION_INVALID_STATE_ERR' })
      }
      return held.map(({ resourceCrn }) => {
        this.registrations.set(resourceCrn, keyCrn)
        return { keyCrn, keyVersionId: this.version, wrapped: new Uint8Array([++this.wraps]) }
      })
    },
    lagging: async (held) =>
      held.map(
        ({ keyCrn, keyVersionId, resourceCrn, as }) =>
          this.standingOf(keyCrn, as.accountId) === 'usable' &&
          (keyVersionId !== this.version || !this.registrations.has(resourceCrn)),
      ),
    pendingNotices: async () => this.notices,
    acknowledge: async ({ noticeId }) => {
      this.acknowledged.push(noticeId)
      return true
    },
    registrationsOf: async (_serviceName, after, limit) =>
      Array.from(this.registrations, ([resourceCrn, keyCrn]) => ({ resourceCrn, keyCrn, capacityGb: null }))
        .filter(({ resourceCrn }) => resourceCrn > after)
        .toSorted((a, b) => (a.resourceCrn < b.resourceCrn ? -1 : 1))
        .slice(0, limit),
    standings: async (requests) =>
      requests.map(({ keyCrn, as }) => ({ keyCrn, standing: this.standingOf(keyCrn, as.accountId) })),
  }
}

export class FakeDisk {
  readonly images = new Map<string, VolumeSpec>()
  readonly exports = new Map<string, string>()
  /** What was last said of each attachment's volume. */
  readonly exported = new Map<string, VolumeSpec>()
  readonly sending = new Set<string>()
  /** What the disk says instead of formatting. */
  refusal: Fault | null = null

  readonly port: DiskPort = {
    createVolume: async (volume) => {
      if (this.refusal) throw this.refusal
      this.images.set(volume.volumeId, volume)
    },
    deleteVolume: async (volumeId) => {
      this.images.delete(volumeId)
    },
    createSnapshot: async (_source, snapshot) => {
      if (this.refusal) throw this.refusal
      this.images.set(snapshot.volumeId, snapshot)
      return { storedBytes: 0 }
    },
    createSnapshots: async (members) => {
      if (this.refusal) throw this.refusal
      for (const { snapshot } of members) this.images.set(snapshot.volumeId, snapshot)
      return members.map(() => ({ storedBytes: 0 }))
    },
    createVolumeFrom: async (volume) => {
      if (this.refusal) throw this.refusal
      this.images.set(volume.volumeId, volume)
    },
    importImage: async (image, wanted, read) => {
      if (this.refusal) throw this.refusal
      if (!this.images.has(image.volumeId)) await Array.fromAsync(await read())
      this.images.set(image.volumeId, image)
      return { storedBytes: 0, capacityBytes: wanted.capacityBytes.min, sha256: null }
    },
    exportImage: async (image, { exportId }, send) => {
      if (this.refusal) throw this.refusal
      if (!this.images.has(image.volumeId)) throw new Fault('not_found', 'no such image')
      this.sending.add(exportId)
      try {
        return await send(pieces())
      } finally {
        this.sending.delete(exportId)
      }
    },
    cancelExport: async () => {},
    describeImage: async (id) => (this.images.has(id) ? { storedBytes: 0, capacityBytes: 0 } : null),
    copyProgress: async () => null,
    reencryptVolume: async ({ newer, ...volume }) => {
      if (this.refusal) throw this.refusal
      if (newer) this.images.set(volume.volumeId, { ...volume, ...newer })
    },
    limitReencryption: async () => undefined,
    addExport: async ({ attachmentId, volume }) => {
      this.exports.set(attachmentId, volume.volumeId)
      this.exported.set(attachmentId, volume)
    },
    removeExport: async (_volumeId, attachmentId) => {
      this.exports.delete(attachmentId)
    },
    connect: async (_volumeId, attachmentId, lifetimeMs) => {
      if (!this.exports.has(attachmentId)) throw new Fault('not_found', 'no such export')
      return {
        uri: `nbds://127.0.0.1/${attachmentId}`,
        pskIdentity: attachmentId,
        pskKey: '0'.repeat(64),
        unixUri: `nbd+unix:///${attachmentId}?socket=/run/nbd`,
        expiresAt: lifetimeMs,
      }
    },
  }
}

export const fakeResources: ResourcesPort = {
  group: async (accountId, id) => {
    if (id === 'nowhere') return null
    return { id: id ?? `default-${accountId.slice(0, 1)}`, accountId, name: id ?? 'Default' }
  },
  storageInstance: async () => null,
}

/** Every object is there, and may be read. */
/** Every object that is asked for is there; those that are written are remembered. */
export class FakeCos {
  readonly written = new Set<string>()
  /** What it says of everything. */
  refusal: Fault | null = null

  readonly port: VpcParts['cos'] = {
    readObject: async () => ({
      sizeBytes: 4,
      etag: 'etag',
      contentType: 'application/octet-stream',
      body: Object.assign(pieces(), { destroy: () => undefined }),
    }),
    writeObject: async ({ body, object }) => {
      if (this.refusal) throw this.refusal
      const { length } = await Array.fromAsync(body)
      this.written.add(object)
      return { sizeBytes: length, etag: 'etag' }
    },
    placeForWriting: async ({ bucket }) => {
      if (this.refusal) throw this.refusal
      return { bucket, bucketCrn: `crn:${bucket}`, location: 'us-south' }
    },
    deleteObject: async ({ object }) => {
      if (this.refusal) throw this.refusal
      this.written.delete(object)
    },
  }
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('boot')
}
