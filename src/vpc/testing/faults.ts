// Failures on schedule: the n-th effect fails before or after it happens, and then either the process goes on (an
// answer was lost) or it stops there (nothing that it would have done afterwards happens until it is started again).

import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'

export interface Plan {
  /** Which effect, counted from 1; effects are calls of ports that change something, and transactions. */
  readonly at: number
  readonly when: 'before' | 'after'
  readonly kind: 'fails' | 'stops'
}

export class Stopped extends Error {}

export class Faults {
  private plan: Plan | null = null
  private count = 0
  private stopped = false
  /** Whether the plan came to pass. */
  happened = false

  schedule(plan: Plan): void {
    this.plan = plan
    this.count = 0
    this.happened = false
  }

  /** The process is there again, and the trouble over. */
  restart(): void {
    this.plan = null
    this.stopped = false
  }

  async around<T>(effect: () => Promise<T>): Promise<T> {
    if (this.stopped) throw new Stopped('the process has stopped')
    const plan = this.plan
    const now = plan !== null && ++this.count === plan.at
    if (now && plan.when === 'before') this.strike(plan)
    const result = await effect()
    if (now && plan.when === 'after') this.strike(plan)
    return result
  }

  private strike(plan: Plan): never {
    this.happened = true
    if (plan.kind === 'fails') throw new Fault('unavailable', 'the answer was lost')
    this.stopped = true
    throw new Stopped('the process has stopped')
  }
}

/** The port with every method named passing through the faults; the others are as they were. */
export function faulty<P extends object>(port: P, methods: readonly (keyof P)[], faults: Faults): P {
  return new Proxy(port, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver)
      if (typeof method !== 'function' || !methods.some((one) => one === name)) return method
      return (...args: unknown[]) => faults.around(async () => Reflect.apply(method, target, args) as unknown)
    },
  })
}

export const faultyDatabase = (database: Database, faults: Faults): Database => ({
  ...database,
  transaction: (work) => faults.around(() => database.transaction(work)),
})
