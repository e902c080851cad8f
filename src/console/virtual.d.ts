// What scripts/console-build.ts makes of the contracts for the browser: method and path of every operation.
declare module 'virtual:operations' {
  export const operations: Readonly<Record<string, Readonly<Record<string, readonly [method: string, path: string]>>>>
}
