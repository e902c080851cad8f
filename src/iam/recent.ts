// A map that forgets what was used longest ago.

export interface Recent<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  readonly size: number
}

export function makeRecent<Value>(sizeMax: number): Recent<Value> {
  // A Map keeps the order of insertion: what is used is inserted anew, so the first is the one to forget.
  const values = new Map<string, Value>()
  return {
    get(key) {
      const value = values.get(key)
      if (value === undefined) return undefined
      values.delete(key)
      values.set(key, value)
      return value
    },
    set(key, value) {
      values.delete(key)
      values.set(key, value)
      const [oldest] = values.keys()
      if (values.size > sizeMax && oldest !== undefined) values.delete(oldest)
    },
    delete: (key) => void values.delete(key),
    get size() {
      return values.size
    },
  }
}
