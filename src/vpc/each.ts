// Work on many things, a few at a time, where one that cannot be done does not keep the others from it.

/** Runs `work` on each item. Rejects in the end with the first failure, after every item has had its turn. */
export async function forEach<Item>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await work(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
}
