// The attachments that this process knows, and who is connected to each. An export is only a name for a volume until its
// first client; removing it cuts its clients.

import { Fault } from '#base/fault.ts'
import { nbdConnectionsMax, nbdConnectionsPerExportMax } from '#base/limits.ts'
import type { Offer } from './negotiation.ts'
import type { VolumeUse } from './open-volume.ts'
import type { ExportSpec } from './port.ts'
import type { Volumes } from './volumes.ts'

/** One client: how to cut it, and when it has let go. */
export interface Client {
  cut(): void
  readonly gone: Promise<void>
}

interface Entry {
  spec: ExportSpec
  readonly clients: Set<Client>
}

export class Exports {
  readonly #volumes: Volumes
  readonly #entries = new Map<string, Entry>()
  #clientCount = 0

  constructor(volumes: Volumes) {
    this.#volumes = volumes
  }

  has(attachmentId: string): boolean {
    return this.#entries.has(attachmentId)
  }

  /** Said again, it takes the newer description for the next opening, its limits at once, and leaves clients alone. */
  add(spec: ExportSpec): void {
    const known = this.#entries.get(spec.attachmentId)
    if (known) known.spec = spec
    else this.#entries.set(spec.attachmentId, { spec, clients: new Set() })
    this.#volumes.limit(spec.volume)
  }

  /** Fulfilled when the last client has let go. */
  async remove(attachmentId: string): Promise<void> {
    const entry = this.#entries.get(attachmentId)
    if (!entry) return
    this.#entries.delete(attachmentId)
    const gone = [...entry.clients].map((client) => client.gone)
    for (const client of entry.clients) client.cut()
    await Promise.all(gone)
    await this.#volumes.closeIfUnused(entry.spec.volume.volumeId)
  }

  async removeVolume(volumeId: string): Promise<void> {
    await Promise.all(this.attachmentsOf(volumeId).map((attachmentId) => this.remove(attachmentId)))
  }

  attachmentsOf(volumeId: string): string[] {
    const of = [...this.#entries.values()].filter((entry) => entry.spec.volume.volumeId === volumeId)
    return of.map((entry) => entry.spec.attachmentId)
  }

  /** What a client may have of an attachment; null when there is no such export. */
  offer(attachmentId: string, client: Client): Offer<VolumeUse> | null {
    const entry = this.#entries.get(attachmentId)
    if (!entry) return null
    return {
      exportName: attachmentId,
      sizeBytes: () => this.#volumes.sizeBytes(entry.spec.volume),
      open: () => this.#open(entry, client),
    }
  }

  async #open(entry: Entry, client: Client): Promise<VolumeUse> {
    if (!entry.clients.has(client)) this.#admit(entry, client)
    return this.#volumes.use(entry.spec.volume, () => client.cut())
  }

  /** The busier the process, the fewer connections one export may have, so that others always find a place. */
  #admit({ clients }: Entry, client: Client): void {
    const most = Math.min(nbdConnectionsPerExportMax, nbdConnectionsMax - this.#clientCount)
    if (clients.size >= most) throw new Fault('over_limit', `an export serves ${most} connections at most now`)
    clients.add(client)
    this.#clientCount += 1
    void this.#forgetWhenGone(clients, client)
  }

  async #forgetWhenGone(clients: Set<Client>, client: Client): Promise<void> {
    await client.gone
    clients.delete(client)
    this.#clientCount -= 1
  }
}
